import { useEffect, useRef, useState } from "react";
import { useApp } from "../app/context";
import { part } from "../client/api";
import type { NumberArray, Payload } from "../client/payload";
import type { FrameHeader } from "../client/types";
import type { Box } from "../plots/box";

export interface Frame {
  header: FrameHeader & { unit: string; planes: number[] | null };
  data: NumberArray;
  width: number;
  height: number;
  /** Which slice of a volume it is. */
  slice: number | null;
}

export interface Look {
  run: string;
  channel: string;
  /** null: the newest, as they come. */
  index: number | null;
  box: Box | null;
  px: [number, number];
  stack: boolean;
  reduce: "max" | "mean";
  slice: number | null;
  /** The dimension that is cut. */
  axis: number;
}

const RATE = 15;

/** The frame that is looked at: fetched by what the view can show, at most two on the way. */
export function useFrame(look: Look | null, frozen: boolean) {
  const app = useApp();
  const [frame, setFrame] = useState<Frame | null>(null);
  const [lost, setLost] = useState(0);
  const [problem, setProblem] = useState("");
  const drawn = useRef<() => void>(() => {});
  const newest = useRef<number | null>(null);
  const key = look === null || look.px[0] === 0 ? "" : JSON.stringify(look);
  const latest = useRef(look);
  latest.current = look;

  const fetchFrame = useRef(async (index: number, signal?: AbortSignal) => {
    const now = latest.current;
    if (now === null) return;
    const payload: Payload<Frame["header"]> | null = await app.api.newest(
      `runs/${part(now.run)}/frame/${part(now.channel)}/${index}`,
      {
        view: now.box?.map((edge) => Number(edge.toFixed(3))),
        px: now.px.map((side) => Math.min(4096, Math.max(1, side))),
        reduce: now.reduce,
        stack: now.stack ? "true" : null,
        slice: now.slice,
        axis: now.axis === 0 ? null : now.axis,
      },
      signal,
    );
    if (payload === null) return;
    const image = payload.arrays.image;
    const [height = 0, width = 0] = payload.shapes.image ?? [];
    const size = payload.header.planes?.[now.axis];
    const slice = size === undefined ? null : (now.slice ?? Math.floor(size / 2));
    if (image !== undefined) setFrame({ header: payload.header, data: image, width, height, slice });
  });

  // One that was chosen, or another view of the one that is shown.
  useEffect(() => {
    if (key === "") return;
    const leave = new AbortController();
    const wait = setTimeout(() => {
      const index = latest.current?.index ?? newest.current ?? -1;
      fetchFrame
        .current(index, leave.signal)
        .then(() => setProblem(""))
        .catch((error: unknown) => {
          if (!(error instanceof DOMException))
            setProblem(error instanceof Error ? error.message : String(error));
        });
    }, 60);
    return () => {
      clearTimeout(wait);
      leave.abort();
    };
  }, [key]);

  const run = look?.run ?? "";
  const channel = look?.channel ?? "";
  const follows = key !== "" && look?.index === null && !frozen;
  useEffect(() => {
    newest.current = null;
    setLost(0);
    if (!follows) return;
    const leave = app.socket.follow({
      wanted: { what: "frame", run, channel, rate: RATE },
      got: async (message) => {
        if (!("ev" in message) || message.ev !== "frame") return;
        newest.current = message.index;
        setLost(message.lost);
        const shown = new Promise<void>((resolve) => {
          drawn.current();
          drawn.current = resolve;
        });
        await fetchFrame.current(message.index);
        await shown;
      },
      failed: (what, hint) => setProblem(`${what} ${hint}`.trim()),
    });
    return () => {
      leave();
      drawn.current();
    };
  }, [app, run, channel, follows]);

  const mine =
    frame !== null && look !== null && frame.header.channel === channel && frame.header.run === run;
  return { frame: mine ? frame : null, lost, problem, drawn: () => drawn.current() };
}
