import { useEffect, useMemo, useRef, useState } from "react";
import { useApp, useAppState, useView } from "../app/context";
import { moment } from "../app/words";
import type { Run } from "../client/types";
import { ending } from "./state";

/** Runs of before, newest first; the parts of a sequence are folded into it. */
export function History({ chosen }: { chosen: string | null }) {
  const app = useApp();
  const runs = useAppState((s) => s.runs);
  const more = useAppState((s) => s.more);
  const search = useAppState((s) => s.search);
  const over = useView((v) => v.over);
  const [open, setOpen] = useState<Record<string, boolean>>({});
  const box = useRef<HTMLInputElement>(null);
  // The palette searches, too; what is being typed here is left alone.
  useEffect(() => {
    if (box.current !== null && box.current !== document.activeElement) box.current.value = search;
  }, [search]);
  const { tops, parts } = useMemo(() => fold(runs), [runs]);
  const row = (run: Run, part: boolean) => {
    const inside = parts.get(run.id) ?? [];
    const unfolded = open[run.id] ?? inside.some((one) => one.id === chosen);
    return (
      <li key={run.id} className={part ? "part" : ""}>
        <div className="history-row">
          <button
            type="button"
            className="history-run"
            aria-current={run.id === chosen ? "true" : undefined}
            onClick={() =>
              app.view.go({ run: run.id, index: null, range: null, box: null, plot: null, channel: null })
            }
          >
            <span className={`dot ${dot(run)}`} aria-hidden="true" />
            <span className="history-title">
              {run.number !== null ? <b>{run.number} </b> : null}
              {run.title || run.name}
            </span>
            <span className="quiet">
              {moment(run.start)}
              {outcome(run)}
            </span>
          </button>
          {inside.length > 0 && (
            <button
              type="button"
              className="quiet"
              aria-expanded={unfolded}
              onClick={() => setOpen({ ...open, [run.id]: !unfolded })}
            >
              {inside.length} parts
            </button>
          )}
          {run.id !== chosen && inside.length === 0 && (run.technique === "" || run.parent === null) && (
            <button
              type="button"
              className="quiet over"
              aria-pressed={over.includes(run.id)}
              aria-label={`Compare with ${run.title}`}
              onClick={() =>
                app.view.go(
                  {
                    over: over.includes(run.id)
                      ? over.filter((one) => one !== run.id)
                      : [...over, run.id].slice(-5),
                  },
                  true,
                )
              }
            >
              {over.includes(run.id) ? "✓ vs" : "vs"}
            </button>
          )}
        </div>
        {unfolded && inside.length > 0 && <ul>{inside.map((one) => row(one, true))}</ul>}
      </li>
    );
  };
  return (
    <aside className="history" aria-label="History of runs">
      <label className="search">
        <span className="hidden">Search runs</span>
        <input
          type="search"
          placeholder="Search runs: ascan rot"
          ref={box}
          defaultValue={search}
          onKeyDown={(event) => {
            if (event.key === "Enter") void app.load(event.currentTarget.value.trim());
          }}
          onChange={(event) => {
            if (event.target.value === "") void app.load("");
          }}
        />
      </label>
      {tops.length === 0 ? (
        <p className="empty">
          {search ? "Nothing fits. Clear the search to see all runs." : "Runs appear here."}
        </p>
      ) : (
        grouped(tops).map(([where, runs]) => (
          <section key={`${where} ${runs[0]?.id}`} aria-label={where || "Not saved"}>
            <h3>{where || "not saved"}</h3>
            <ul>{runs.map((run) => row(run, false))}</ul>
          </section>
        ))
      )}
      {more && (
        <button type="button" onClick={() => void app.older()}>
          Older runs
        </button>
      )}
    </aside>
  );
}

/** Neighbours that belong to one dataset, under its name; scan numbers begin again in each. */
export function grouped(runs: Run[]): [string, Run[]][] {
  const found: [string, Run[]][] = [];
  for (const run of runs) {
    const where = [run.proposal, run.sample, run.dataset].filter(Boolean).join(" / ");
    const last = found.at(-1);
    // What was not saved, a ct for instance, stands where it was done.
    if (last !== undefined && (last[0] === where || where === "")) last[1].push(run);
    else found.push([where, [run]]);
  }
  return found;
}

/** Runs that stand by themselves, and those that belong to another one of the list. */
export function fold(runs: Run[]): { tops: Run[]; parts: Map<string, Run[]> } {
  const known = new Set(runs.map((run) => run.id));
  const parts = new Map<string, Run[]>();
  const tops = [];
  for (const run of runs) {
    if (run.parent !== null && known.has(run.parent)) {
      parts.set(run.parent, [...(parts.get(run.parent) ?? []), run]);
    } else tops.push(run);
  }
  return { tops, parts };
}

function dot(run: Run): string {
  return ending(run).sort;
}

/** What the coloured dot says, for those who do not see its colour. */
function outcome(run: Run): string {
  const { text, sort } = ending(run);
  const kept = run.dataset === "" && run.parent === null ? " · not saved" : "";
  return sort === "good" ? kept : ` · ${run.end?.reason === "USER_ABORT" ? "stopped" : text}${kept}`;
}
