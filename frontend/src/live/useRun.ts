/** The description of a run, kept fresh while it goes on. */

import { useEffect, useState } from "react";
import { useApp, useAppState } from "../app/context";
import type { RunDetail } from "../client/types";

export function useRun(id: string | null): RunDetail | null {
  const app = useApp();
  const [detail, setDetail] = useState<RunDetail | null>(null);
  const known = useAppState((s) => s.runs.find((run) => run.id === id));
  const more = useAppState((s) => (id === null ? 0 : (s.channels[id] ?? 0)));
  const link = useAppState((s) => s.link);
  const state = known?.state;
  const children = useAppState((s) => s.runs.filter((run) => run.parent === id && id !== null).length);

  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again whenever one of these tells of a change
  useEffect(() => {
    if (id === null || link !== "open") return;
    const leave = new AbortController();
    app.api
      .json<RunDetail>(`runs/${encodeURIComponent(id)}`, {}, leave.signal)
      .then(setDetail)
      .catch((error: unknown) => app.tell(error));
    return () => leave.abort();
  }, [app, id, state, more, link, children]);

  if (detail === null || detail.id !== id) return null;
  return known ? { ...detail, ...known, path: detail.path } : detail;
}
