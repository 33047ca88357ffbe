import { createContext, useContext } from "react";
import { useStore } from "../client/store";
import type { Session } from "../client/types";
import { type Application, type State, shownSession } from "./state";
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

/** The session that is shown, and that acts go to. */
export function useSession(): Session | null {
  return useSessionPart((session) => session);
}

/** A part of it: a plot that needs its name is not drawn again whenever the beam changes. */
export function useSessionPart<P>(part: (session: Session | null) => P): P {
  const run = useView((view) => view.run);
  const session = useView((view) => view.session);
  return useAppState((state) => part(shownSession(state, { run, session })));
}

export const mayOperate = (state: State) => state.me !== null && state.me.role !== "view";
