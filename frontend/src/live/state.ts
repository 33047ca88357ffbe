/** How a run goes, in words for people. */

import type { Run } from "../client/types";

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

export const runs_on = (run: Run) =>
  run.end === null && (run.state === "CREATED" || run.state === "PREPARED" || run.state === "RUNNING");

/** What is said of a run's state, and how it is coloured. */
export function ending(run: Run): { text: string; sort: "running" | "good" | "bad" } {
  const text = run.end ? (ENDS[run.end.reason] ?? run.end.reason) : (STATES[run.state] ?? run.state);
  if (runs_on(run)) return { text, sort: "running" };
  return { text, sort: run.end !== null && run.end.reason !== "SUCCESS" ? "bad" : "good" };
}
