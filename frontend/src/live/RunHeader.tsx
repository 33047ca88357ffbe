import { useState } from "react";
import { useApp, useAppState } from "../app/context";
import { duration, moment, took } from "../app/words";
import type { RunDetail } from "../client/types";
import { explain } from "./explain";
import { ending, runs_on } from "./state";

/** The run's title, what it does, how far it is, and how it ended. */
export function RunHeader({ run, following }: { run: RunDetail; following: boolean }) {
  const app = useApp();
  const progress = useAppState((s) => s.progress[run.id]);
  const frozen = useAppState((s) => s.frozen);
  const [copied, setCopied] = useState(false);
  const running = runs_on(run);
  const point = Math.max(run.npoints ?? 0, progress?.point ?? 0);
  const { text: state, sort } = ending(run);
  const left = progress?.remaining;
  return (
    <header className="run">
      <div className="run-title">
        <h2>{run.title}</h2>
        <span className={`state ${sort}`}>{frozen ? "view frozen" : state}</span>
      </div>
      <p className="explained">{explain(run)}</p>
      <p className="quiet">
        {[
          run.number ? `scan ${run.number}` : "",
          [run.proposal, run.sample, run.dataset].filter(Boolean).join(" / "),
          `began ${moment(run.start)}`,
          run.end && run.end.epoch > run.start ? `took ${took(run.end.epoch - run.start)}` : "",
          progress?.doing ?? "",
        ]
          .filter(Boolean)
          .join(" · ")}
      </p>
      {run.end?.message ? <p className={sort === "bad" ? "problem" : "note"}>{run.end.message}</p> : null}
      {running && (
        <div className="progress">
          <progress
            aria-label="Progress"
            {...(run.total ? { value: point, max: run.total } : {})}
            data-point={point}
          />
          <span>
            {point}
            {run.total ? ` of ${run.total}` : ""}
            {left != null && run.state === "RUNNING" ? `, ${duration(left)} left` : ""}
          </span>
        </div>
      )}
      <div className="run-acts">
        {!following && (
          <button
            type="button"
            onClick={() => app.view.go({ run: null, index: null, range: null, box: null })}
          >
            Follow what runs
          </button>
        )}
        <button
          type="button"
          onClick={() => {
            void navigator.clipboard
              ?.writeText(window.location.href.split("#")[0] ?? "")
              .then(() => setCopied(true));
          }}
        >
          {copied ? "Link copied" : "Copy link"}
        </button>
        <button type="button" aria-pressed={frozen} onClick={() => app.state.set({ frozen: !frozen })}>
          {frozen ? "Go on" : "Freeze view"}
        </button>
        {running && run.session !== "" && (
          <button type="button" className="danger" onClick={() => app.state.set({ open: "abort" })}>
            Abort scan …
          </button>
        )}
      </div>
    </header>
  );
}
