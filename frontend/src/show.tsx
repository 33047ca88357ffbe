/** Components in tests: with an application whose server is a list of what was asked of it. */

import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import { vi } from "vitest";
import { AppContext } from "./app/context";
import { Application, type State } from "./app/state";
import type { Me } from "./client/types";

export const operator: Me = {
  name: "operator 1",
  role: "operate",
  csrf: "secret",
  version: "0",
  prefix: "",
  server: "s1",
  lease: null,
};

/** An application that knows what it is told, and never connects. */
export function anApp(known: Partial<State> = {}, search = ""): Application {
  window.history.replaceState(null, "", `/${search}`);
  const app = new Application(window);
  app.state.set({ me: operator, link: "open", loaded: true, ...known });
  return app;
}

export function show(app: Application, what: ReactNode) {
  return render(<AppContext.Provider value={app}>{what}</AppContext.Provider>);
}

/** Every request is answered by this; what was asked is what comes back. */
export function answers(answer: unknown, status = 200) {
  const asked: { path: string; body: unknown }[] = [];
  vi.stubGlobal("fetch", async (path: string | URL | Request, how?: RequestInit) => {
    asked.push({ path: String(path), body: how?.body ? JSON.parse(String(how.body)) : null });
    return new Response(JSON.stringify(answer), { status });
  });
  return asked;
}
