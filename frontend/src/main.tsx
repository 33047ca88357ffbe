import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import "./app/theme.css";

const place = document.getElementById("root");
if (place === null) throw new Error("The page has no place for the application.");
createRoot(place).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
