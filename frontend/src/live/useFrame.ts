import { useEffect, useRef, useState } from "react";
import { useApp } from "../app/context";
import { part } from "../client/api";
import type { Kind } from "../client/line";
import type { NumberArray, Payload } from "../client/payload";
import type { FrameHeader } from "../client/types";
import type { Box } from "../plots/box";

export interface Grey {
  low: number;
  high: number;
  scale: "linear" | "log" | "gamma";
}

type Header = Frame["header"] & Partial<Grey> & { size?: [number, number] };

export interface Frame {
  header: FrameHeader & { unit: string; planes: number[] | null };
  kind: Kind;
  /** What grey levels stand for; null of true values. */
  grey: Grey | null;
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
  /** How values come; as the line allows when null. */
  kind: Kind | null;
  /** For grey levels: what they lie between, and how. */
  levels: [number, number] | null;
  auto: [number, number] | null;
  scale: Grey["scale"];
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
  const kind = useRef<Kind>("native");
  // True values are coloured here: other levels need no other frame.
  const grey = (look?.kind ?? kind.current) !== "native";
  const key =
    look === null || look.px[0] === 0
      ? ""
      : JSON.stringify(grey ? look : { ...look, levels: null, auto: null, scale: "linear" });
  const last = useRef<Frame | null>(null);
  const latest = useRef(look);
  latest.current = look;

  const fetchFrame = useRef(async (index: number, signal?: AbortSignal) => {
    const now = latest.current;
    if (now === null) return;
    const before = last.current;
    const [rows, columns] = before === null ? now.px : [before.height, before.width];
    const bytes = before === null ? 2 : Number(before.header.dtype.slice(1)) || 4;
    kind.current = now.kind ?? app.api.line.choose(Math.max(1, rows * columns), bytes, kind.current);
    const coded = kind.current !== "native";
    const quantile = (which: 0 | 1) =>
      now.auto === null ? undefined : before?.header.quantiles[String(now.auto[which])];
    const payload: Payload<Header> | null = await app.api.newest(
      `runs/${part(now.run)}/frame/${part(now.channel)}/${index}`,
      {
        view: now.box?.map((edge) => Number(edge.toFixed(3))),
        px: now.px.map((side) => Math.min(4096, Math.max(1, side))),
        reduce: now.reduce,
        stack: now.stack ? "true" : null,
        slice: now.slice,
        axis: now.axis === 0 ? null : now.axis,
        type: coded ? kind.current : null,
        scale: coded ? now.scale : null,
        low: coded ? (now.levels?.[0] ?? quantile(0)) : null,
        high: coded ? (now.levels?.[1] ?? quantile(1)) : null,
      },
      signal,
    );
    if (payload === null) return;
    const { header, arrays, shapes } = payload;
    const [height = 0, width = 0] = header.size ?? shapes.image ?? [];
    const image = arrays.jpeg ? await decoded(arrays.jpeg) : arrays.image;
    if (image === undefined) return;
    const size = header.planes?.[now.axis];
    const made: Frame = {
      header,
      kind: coded ? (arrays.jpeg ? "jpeg" : "u8") : "native",
      grey: coded ? { low: header.low ?? 0, high: header.high ?? 1, scale: header.scale ?? "linear" } : null,
      data: image,
      width,
      height,
      slice: size === undefined ? null : (now.slice ?? Math.floor(size / 2)),
    };
    last.current = made;
    setFrame(made);
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

/** The grey levels of a JPEG. */
async function decoded(jpeg: NumberArray): Promise<Uint8Array> {
  const picture = await createImageBitmap(new Blob([jpeg as BlobPart], { type: "image/jpeg" }));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.width, picture.height];
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("This browser cannot show JPEG.");
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, picture.width, picture.height);
  return Uint8Array.from({ length: picture.width * picture.height }, (_, k) => data[4 * k] ?? 0);
}
