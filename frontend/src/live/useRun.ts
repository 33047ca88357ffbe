/** The description of a run, kept fresh while it goes on. */

import { useEffect, useRef, useState } from "react";
import { useApp, useAppState } from "../app/context";
import type { RunDetail } from "../client/types";

const EVERY = 1000; // ms between two looks at a run that goes on

/** The run that is wanted; the one before until it has come. */
export function useRun(id: string | null): RunDetail | null {
  const app = useApp();
  const [detail, setDetail] = useState<RunDetail | null>(null);
  const known = useAppState((s) => s.runs.find((run) => run.id === detail?.id));
  const state = useAppState((s) => s.runs.find((run) => run.id === id)?.state);
  const more = useAppState((s) => (id === null ? 0 : (s.channels[id] ?? 0)));
  const link = useAppState((s) => s.link);
  const wanted = useRef(id);
  const busy = useRef(false);
  const again = useRef(false);
  wanted.current = id;

  const ask = useRef(async () => {
    // One request at a time, and one more when something changed meanwhile: none is called off for a newer one, or a
    // slow line would never see an answer.
    if (busy.current) {
      again.current = true;
      return;
    }
    busy.current = true;
    do {
      again.current = false;
      const asked = wanted.current;
      if (asked === null) break;
      try {
        const found = await app.api.run(asked);
        if (wanted.current === asked) setDetail(found);
        else again.current = true;
      } catch (error) {
        if (wanted.current === asked) app.tell(error);
        else again.current = true;
      }
    } while (again.current);
    busy.current = false;
  });

  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again whenever one of these tells of a change
  useEffect(() => {
    if (id !== null && link === "open") void ask.current();
  }, [id, state, more, link]);

  const running = state !== undefined && state !== "CLOSED";
  useEffect(() => {
    if (!running || link !== "open") return;
    const beat = setInterval(() => void ask.current(), EVERY);
    return () => clearInterval(beat);
  }, [running, link]);

  if (detail === null) return null;
  return known
    ? { ...detail, ...known, npoints: Math.max(detail.npoints, known.npoints), path: detail.path }
    : detail;
}
