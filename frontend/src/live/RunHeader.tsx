import { useState } from "react";
import { useApp, useAppState } from "../app/context";
import { duration, moment } from "../app/words";
import type { RunDetail } from "../client/types";

const STATES: Record<string, string> = {
  CREATED: "beginning",
  PREPARED: "prepared",
  RUNNING: "running",
  STOPPED: "being saved",
  CLOSED: "done",
};

const ENDS: Record<string, string> = {
  SUCCESS: "done",
  USER_ABORT: "stopped by the user",
  FAILURE: "failed",
  LOST: "lost: its process died",
};

/** The run's title, how far it is, and how it ended. */
export function RunHeader({ run, following }: { run: RunDetail; following: boolean }) {
  const app = useApp();
  const progress = useAppState((s) => s.progress[run.id]);
  const frozen = useAppState((s) => s.frozen);
  const [copied, setCopied] = useState(false);
  const running = run.state === "CREATED" || run.state === "PREPARED" || run.state === "RUNNING";
  const point = Math.max(run.npoints ?? 0, progress?.point ?? 0);
  const state = run.end ? (ENDS[run.end.reason] ?? run.end.reason) : (STATES[run.state] ?? run.state);
  const bad = run.end !== null && run.end.reason !== "SUCCESS";
  const left = progress?.remaining;
  return (
    <header className="run">
      <div className="run-title">
        <h2>{run.title}</h2>
        <span className={`state ${running ? "running" : bad ? "bad" : "good"}`}>
          {frozen ? "view frozen" : state}
        </span>
      </div>
      <p className="quiet">
        {[
          run.number ? `scan ${run.number}` : "",
          run.sample,
          run.dataset,
          moment(run.start),
          progress?.doing ?? "",
        ]
          .filter(Boolean)
          .join(" · ")}
      </p>
      {run.end?.message ? <p className={bad ? "problem" : "note"}>{run.end.message}</p> : null}
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
          <button
            type="button"
            className="danger"
            onClick={() => void app.attempt(() => app.api.abort(run.session))}
          >
            Abort scan
          </button>
        )}
      </div>
    </header>
  );
}
