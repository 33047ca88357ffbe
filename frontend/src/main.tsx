import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { Application } from "./app/state";
import "./app/theme.css";

const place = document.getElementById("root");
if (place === null) throw new Error("The page has no place for the application.");
createRoot(place).render(<App app={new Application()} />);
