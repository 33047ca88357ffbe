import { useEffect, useRef, useState } from "react";
import { useApp } from "../app/context";
import type { NumberArray, Payload } from "../client/payload";
import type { CurveHeader, Wanted } from "../client/types";

export interface Curves {
  header: CurveHeader;
  x: NumberArray;
  y: NumberArray[];
}

export function unpack(payload: Payload<CurveHeader>): Curves {
  return {
    header: payload.header,
    x: payload.arrays.x ?? new Float64Array(),
    y: payload.header.y.map((_, k) => payload.arrays[`y${k}`] ?? new Float64Array()),
  };
}

/** Follows curves; the next is asked for when this one is on the screen. */
export function useCurve(wanted: Extract<Wanted, { what: "curve" }> | null, frozen: boolean) {
  const app = useApp();
  const [curves, setCurves] = useState<Curves | null>(null);
  const [problem, setProblem] = useState("");
  const drawn = useRef<() => void>(() => {});
  const key = wanted === null ? "" : JSON.stringify(wanted);

  useEffect(() => {
    if (key === "" || frozen) return;
    setProblem("");
    const leave = app.socket.follow({
      wanted: JSON.parse(key) as Wanted,
      got: (message) =>
        new Promise<void>((resolve) => {
          drawn.current();
          drawn.current = resolve;
          setCurves(unpack(message as unknown as Payload<CurveHeader>));
        }),
      failed: (what, hint) => setProblem(`${what} ${hint}`.trim()),
    });
    return () => {
      leave();
      drawn.current();
    };
  }, [app, key, frozen]);

  return { curves, problem, drawn: () => drawn.current() };
}
