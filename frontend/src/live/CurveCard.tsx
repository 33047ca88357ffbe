import { useEffect, useMemo, useState } from "react";
import { useApp, useAppState, useSession, useView } from "../app/context";
import type { Payload } from "../client/payload";
import type { CurveHeader, Feature, RunDetail } from "../client/types";
import { Curve, type Line, type Mark } from "../plots/Curve";
import { Card } from "./Card";
import { defaultX, defaultY } from "./choose";
import { type Curves, unpack, useCurve } from "./useCurve";

const KINDS: readonly Feature["kind"][] = ["peak", "cen", "com", "fwhm", "trough"];

/** Counters against an axis: live, zoomed on the server, with what `cen`, `peak` and the others say. */
export function CurveCard({ run, title }: { run: RunDetail; title: string }) {
  const app = useApp();
  const view = useView((v) => v);
  const frozen = useAppState((s) => s.frozen);
  const x = view.x === "point" ? null : (view.x ?? defaultX(run));
  const names = view.y.length > 0 ? view.y.filter((name) => run.channels[name]) : defaultY(run);
  const y = names.length > 0 ? names : defaultY(run);
  const wanted = {
    what: "curve" as const,
    run: run.id,
    x: x !== null && run.channels[x] ? x : null,
    y,
    view: view.range,
    px: 1600,
    norm: view.monitor !== null && run.channels[view.monitor] ? view.monitor : null,
    derivative: view.derivative,
  };
  const { curves, problem, drawn } = useCurve(y.length > 0 ? wanted : null, frozen);
  const past = usePast(view.over, wanted);
  const marks = useMarks(run, y[0], wanted.x, view.marks as Feature["kind"][], view.derivative);
  const session = useSession();
  const axis = wanted.x !== null ? session?.axes[wanted.x] : undefined;

  const lines = useMemo(() => {
    const found: Line[] = [];
    const right = view.y.length === 0 && view.right.length === 0 ? otherUnits(curves) : view.right;
    for (const [label, over] of past) add(found, over, label, right);
    if (curves !== null) add(found, curves, null, right);
    return found;
  }, [curves, past, view.right, view.y]);

  const reduced = curves?.header.reduced ? "every spike is shown; points are thinned" : "";
  return (
    <Card
      title={title}
      plot={{ kind: "curve", channel: null }}
      problem={problem}
      note={[`${curves?.header.count ?? 0} points`, reduced].filter(Boolean).join(", ")}
    >
      {lines.length === 0 ? (
        <p className="empty">The first point has not come yet.</p>
      ) : (
        <Curve
          label={`${y.join(", ")} against ${wanted.x ?? "point"}`}
          lines={lines}
          x={{
            name: curves?.header.x.name ?? "",
            unit: curves?.header.x.unit ?? "",
            time: curves?.header.x.kind === "time",
          }}
          log={view.log}
          marks={marks}
          here={axis?.position ?? null}
          range={view.range}
          onRange={(range) => app.view.go({ range }, true)}
          {...(axis !== undefined && session?.alive
            ? {
                onPick: (at: number) =>
                  app.state.set({ asked: { session: session.name, axis: wanted.x ?? "", to: at } }),
              }
            : {})}
          count={curves?.header.count ?? 0}
          onDrawn={drawn}
        />
      )}
    </Card>
  );
}

/** Nobody has chosen: what has another unit than the first counter has an axis of its own. */
function otherUnits(curves: Curves | null): string[] {
  const all = curves?.header.y ?? [];
  return all.filter((one) => one.unit !== all[0]?.unit).map((one) => one.name);
}

function add(lines: Line[], curves: Curves, past: string | null, right: string[]) {
  curves.header.y.forEach((what, k) => {
    const y = curves.y[k];
    if (y === undefined) return;
    lines.push({
      name: past === null ? what.name : `${what.name} (${past})`,
      unit: what.unit,
      x: curves.x,
      y,
      right: right.includes(what.name),
      past: past !== null,
    });
  });
}

/** Curves of runs of before, to compare with. */
function usePast(over: string[], wanted: Record<string, unknown>): [string, Curves][] {
  const app = useApp();
  const [found, setFound] = useState<[string, Curves][]>([]);
  const key = JSON.stringify([over, { ...wanted, run: "" }]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` stands for both
  useEffect(() => {
    if (over.length === 0) {
      setFound([]);
      return;
    }
    const leave = new AbortController();
    const { x, y, view, px, norm, derivative } = wanted as { y: string[] } & Record<string, never>;
    void Promise.all(
      over.map(async (id): Promise<[string, Curves] | null> => {
        try {
          const query = { x, y, view, px, norm, derivative };
          const payload: Payload<CurveHeader> = await app.api.payload(
            `runs/${encodeURIComponent(id)}/curve`,
            query,
            leave.signal,
          );
          const run = app.state.get().runs.find((one) => one.id === id);
          return [run?.number ? `#${run.number}` : (run?.title ?? "past"), unpack(payload)];
        } catch (error) {
          app.tell(error);
          return null;
        }
      }),
    ).then((all) => {
      if (!leave.signal.aborted) setFound(all.filter((one) => one !== null));
    });
    return () => leave.abort();
  }, [app, key]);
  return found;
}

function useMarks(
  run: RunDetail,
  y: string | undefined,
  x: string | null,
  kinds: Feature["kind"][],
  derivative: boolean,
): Mark[] {
  const app = useApp();
  const [marks, setMarks] = useState<Mark[]>([]);
  const wanted = kinds.filter((kind) => KINDS.includes(kind)).join();
  // Ten times in a run, not at every point.
  const step = run.total ? Math.floor((10 * run.npoints) / run.total) : Math.floor(run.npoints / 100);
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again as the run grows
  useEffect(() => {
    if (wanted === "" || y === undefined || x === null || derivative) {
      setMarks([]);
      return;
    }
    let over = false;
    void Promise.allSettled(
      wanted.split(",").map((kind) => app.api.feature(run.id, x, y, kind as Feature["kind"])),
    ).then((all) => {
      if (over) return;
      setMarks(
        all.flatMap((one) => {
          if (one.status !== "fulfilled") return [];
          const { kind, text, x: at, left, right } = one.value;
          return kind === "fwhm"
            ? [{ label: `fwhm ${text}`, x: left ?? at, left, right }]
            : [{ label: `${kind} ${text}`, x: at }];
        }),
      );
      const failed = all.find((one) => one.status === "rejected");
      if (failed?.status === "rejected" && run.state === "CLOSED") app.tell(failed.reason, "info");
    });
    return () => {
      over = true;
    };
  }, [app, run.id, run.state, step, wanted, x, y, derivative]);
  return marks;
}
