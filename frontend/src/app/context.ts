import { createContext, useContext } from "react";
import { useStore } from "../client/store";
import type { Session } from "../client/types";
import type { Application, State } from "./state";
import type { View } from "./view";

export const AppContext = createContext<Application | null>(null);

export function useApp(): Application {
  const app = useContext(AppContext);
  if (app === null) throw new Error("Components of Firstlight live inside its application.");
  return app;
}

export function useAppState<P>(part: (state: State) => P): P {
  return useStore(useApp().state, part);
}

export function useView<P>(part: (view: View) => P): P {
  return useStore(useApp().view, part);
}

/** The session that is shown: the one of the run, else the one that lives. */
export function useSession(): Session | null {
  return useAppState((state) => {
    const all = Object.values(state.sessions);
    return all.find((session) => session.alive) ?? all[0] ?? null;
  });
}

export const mayOperate = (state: State) => state.me !== null && state.me.role !== "view";
