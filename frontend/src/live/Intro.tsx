import { useState } from "react";
import { mayOperate, useApp, useAppState, useSession, useView } from "../app/context";
import { place } from "../app/words";
import type { Run, RunDetail, Session } from "../client/types";
import { counters } from "./choose";

const SEEN = "introduction";

/** Whether this browser has put the introduction away; one that keeps nothing shows it each time. */
function seen(): boolean {
  try {
    return localStorage.getItem(SEEN) === "seen";
  } catch {
    return false;
  }
}

/** The first minute: what there is to see, what to try, how to stop. Put away once, it stays away in this browser. */
export function Intro({ run }: { run: RunDetail | null }) {
  const app = useApp();
  const asked = useView((v) => v.intro);
  const session = useSession();
  const operate = useAppState(mayOperate);
  const result = useAppState((s) => resultOf(s.runs, run));
  const [away, setAway] = useState(seen);
  if (asked === false || (away && asked === null)) return null;
  const close = () => {
    try {
      localStorage.setItem(SEEN, "seen");
    } catch {
      // A browser that keeps nothing shows it the next time again.
    }
    setAway(true);
    app.view.go({ intro: null }, true);
  };
  return (
    <section className="intro" aria-label="Introduction">
      <article>
        <h3>What you see</h3>
        <p>
          The running scan, drawn while it is measured; the page follows to the next one by itself. Below:
          axes, and what was typed.
        </p>
      </article>
      <article>
        <h3>Run your own scan</h3>
        {session?.alive ? (
          <p>
            Type it into the shell of {session.name}: <code>{suggestion(session, run)}</code>
            {operate ? " A click on an axis below asks where to move it." : ""}
          </p>
        ) : (
          <p>
            No session runs. <code>firstlight shell</code> starts one with a simulated beamline.
          </p>
        )}
      </article>
      <article>
        <h3>See the result</h3>
        {result ? (
          <p>
            <button
              type="button"
              className="plain"
              onClick={() => app.view.go({ run: result.id, index: null, plot: null, channel: null })}
            >
              {result.title}
            </button>{" "}
            was computed from what was measured.
          </p>
        ) : (
          <p>What is computed from a run, a slice for instance, appears here as it comes.</p>
        )}
      </article>
      <article>
        <h3>Stop it</h3>
        <p>
          <b>Stop all</b> ends every scan and movement; everybody may, and what was measured is kept.{" "}
          <kbd>?</kbd> shows all keys.
        </p>
      </article>
      <button type="button" onClick={close}>
        Got it
      </button>
    </section>
  );
}

/** What was computed from the run that is shown, or else the newest result. */
function resultOf(runs: Run[], run: RunDetail | null): Run | undefined {
  const results = runs.filter((one) => one.technique !== "" && one.parent !== null);
  const family = run?.parent ?? run?.id;
  return results.find((one) => one.parent === family || one.parent === run?.id) ?? results[0];
}

/** A short scan that this session can do, around where its axis is now: nothing that goes far. */
export function suggestion(session: Session, run: RunDetail | null): string {
  const counter = (run === null ? undefined : counters(run)[0]?.split(":")[0]) ?? "";
  const named = run?.axes.find((axis) => session.axes[axis] !== undefined);
  const free = Object.entries(session.axes).find(([, axis]) => axis.error === "");
  const axis = named ?? free?.[0];
  if (axis === undefined) return `loopscan(100, 0.1${counter ? `, ${counter}` : ""})`;
  const { limits, position } = session.axes[axis] as Session["axes"][string];
  const room = Math.min(limits[1] - position, position - limits[0]);
  const far = Number.isFinite(room) && room < 0.5 ? Number((room / 2).toPrecision(1)) : 0.5;
  if (!(far > 0)) return `loopscan(100, 0.1${counter ? `, ${counter}` : ""})`;
  return `dscan(${axis}, ${place(-far)}, ${place(far)}, 40, 0.05${counter ? `, ${counter}` : ""})`;
}
