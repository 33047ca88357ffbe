import { useEffect, useMemo } from "react";
import { LivePage } from "../live/LivePage";
import { AppContext, useApp, useAppState } from "./context";
import { AbortDialog, type Act, Keys, MoveDialog, Notices, Palette, RegionDialog } from "./Dialogs";
import { BottomStrip, TopBar } from "./Strip";
import { type Application, shownSession } from "./state";

/** The whole application around its pages. */
export function App({ app }: { app: Application }) {
  useEffect(() => {
    app.start();
    const seen = () => {
      if (document.visibilityState === "visible") app.socket.hurry();
    };
    document.addEventListener("visibilitychange", seen);
    window.addEventListener("online", seen);
    return () => {
      document.removeEventListener("visibilitychange", seen);
      window.removeEventListener("online", seen);
      app.stop();
    };
  }, [app]);
  return (
    <AppContext.Provider value={app}>
      <Frame />
    </AppContext.Provider>
  );
}

function Frame() {
  const app = useApp();
  const open = useAppState((s) => s.open);
  const refused = useAppState((s) => s.link === "refused");
  const lost = useAppState((s) => s.link === "lost");
  const acts = useMemo(() => acts_of(app), [app]);
  useKeys(acts);
  return (
    <>
      <TopBar />
      {refused ? (
        <main className="welcome">
          <h1>You are not logged in</h1>
          <p>Open the link that Firstlight printed when it started, or ask for one: firstlight web --share</p>
        </main>
      ) : (
        <>
          {lost && (
            <p className="banner" role="alert">
              The web server is gone; sessions go on without it. This page tries again by itself and keeps its
              view.
            </p>
          )}
          <LivePage />
          <BottomStrip />
        </>
      )}
      <MoveDialog />
      <RegionDialog />
      {open === "abort" && <AbortDialog />}
      {open === "keys" && <Keys acts={acts} />}
      {open === "palette" && <Palette acts={acts} />}
      <Notices />
    </>
  );
}

function acts_of(app: Application): Act[] {
  const { state, view } = app;
  const step = (by: number) => {
    const { runs } = state.get();
    const at = runs.findIndex((run) => run.id === document.querySelector("main")?.dataset.run);
    const next = runs[at + by];
    if (next) view.go({ run: next.id, index: null, range: null, box: null, plot: null, channel: null });
  };
  return [
    { keys: "?", name: "Show the keys", act: () => state.set({ open: "keys" }) },
    { keys: "Ctrl K", name: "Go to a run, or do something", act: () => state.set({ open: "palette" }) },
    {
      keys: "g l",
      name: "Live: follow what runs",
      act: () => view.go({ run: null, plot: null, channel: null, index: null }),
    },
    { keys: "i", name: "Show the introduction", act: () => view.go({ intro: true }, true) },
    {
      keys: "Space",
      name: "Freeze the view, or go on",
      act: () => state.set((now) => ({ ...now, frozen: !now.frozen })),
    },
    { keys: "j", name: "The run before", act: () => step(1) },
    { keys: "k", name: "The run after", act: () => step(-1) },
    { keys: "l", name: "Logarithmic, or not", act: () => view.go({ log: !view.get().log }, true) },
    {
      keys: "d",
      name: "Derivative, or not",
      act: () => view.go({ derivative: !view.get().derivative }, true),
    },
    { keys: "0", name: "Show all of the curves", act: () => view.go({ range: null }, true) },
    { keys: "Esc", name: "All plots", act: () => view.go({ plot: null, channel: null, box: null }) },
    {
      keys: "s s",
      name: "Stop everything that moves or runs, at once",
      act: () => {
        const session = shownSession(state.get(), view.get());
        if (session?.alive) void app.attempt(() => app.api.stop(session.name));
      },
    },
  ];
}

const TOGETHER = 1500; // ms

/** Keys work everywhere but where something is typed. */
function useKeys(acts: Act[]) {
  const app = useApp();
  useEffect(() => {
    let first = "";
    let when = 0;
    const press = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        app.state.set({ open: "palette" });
        return;
      }
      const target = event.target as HTMLElement;
      const typing = target.closest("input, select, textarea, dialog") !== null;
      if (typing || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const key = event.key === " " ? "Space" : event.key === "Escape" ? "Esc" : event.key;
      if (key === "Space" && target.closest("button, summary, a") !== null) return;
      // Two keys belong together only when they come together.
      if (event.timeStamp - when > TOGETHER) first = "";
      when = event.timeStamp;
      const wanted = first ? `${first} ${key}` : key;
      const both = first ? acts.find((one) => one.keys === wanted) : undefined;
      const act = both ?? acts.find((one) => one.keys === key);
      first = !both && acts.some((one) => one.keys.startsWith(`${key} `)) ? key : "";
      if (act !== undefined) {
        event.preventDefault();
        act.act();
      }
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [app, acts]);
}
