/** An image: true values with a colour map, zoomed to single pixels, with regions and lines drawn by mouse or keys. */

import { type KeyboardEvent, type PointerEvent, useCallback, useEffect, useRef, useState } from "react";
import type { NumberArray } from "../client/payload";
import type { Rectangle } from "../client/types";
import { type Box, pan, place, rectangle, toFrame, zoom } from "./box";
import { Painter } from "./gl";
import { paint } from "./overlay";
import { type Scale, words } from "./scale";
import { useInk, useSize } from "./size";

export interface Shown {
  data: NumberArray;
  width: number;
  height: number;
  /** The part of the frame that it covers, in pixels of the frame. */
  view: Box;
  bin: number;
  fill: number | null;
}

export interface ImageProps {
  label: string;
  shown: Shown | null;
  /** The whole frame. */
  full: Box;
  box: Box | null;
  onBox: (box: Box | null) => void;
  /** What the canvas can show, in pixels of the screen: for the next request. */
  onSize?: (width: number, height: number) => void;
  levels: [number, number];
  scale: Scale;
  colours: string;
  unit: string;
  index: number;
  square?: boolean;
  /** Rows go up, as positions do. */
  flip?: boolean;
  x?: ((pixel: number) => number) | undefined;
  y?: ((pixel: number) => number) | undefined;
  names?: [string, string];
  reduce?: string;
  tool?: "pan" | "region" | "line";
  regions?: Record<string, Rectangle>;
  chosen?: string | null;
  line?: [number, number, number, number] | null;
  onRegion?: (region: Rectangle) => void;
  onLine?: (line: [number, number, number, number]) => void;
  onPick?: (x: number, y: number) => void;
  onDrawn?: () => void;
}

interface Drag {
  from: [number, number];
  box: Box;
  moved: boolean;
}

export function Image(props: ImageProps) {
  const {
    shown,
    full,
    levels,
    scale,
    colours,
    square = true,
    flip = false,
    tool = "pan",
    onSize,
    onDrawn,
  } = props;
  const holder = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const over = useRef<HTMLCanvasElement>(null);
  const painter = useRef<Painter | null>(null);
  const drag = useRef<Drag | null>(null);
  const [problem, setProblem] = useState("");
  const [cursor, setCursor] = useState<[number, number] | null>(null);
  const [draft, setDraft] = useState<Rectangle | null>(null);
  const [stroke, setStroke] = useState<[number, number, number, number] | null>(null);
  const [width, height] = useSize(holder);
  const ink = useInk();
  const box = props.box ?? full;
  const at = place(box, width, height, square);
  // Rows that go up are turned in the frame's own coordinates, so that everything else need not know.
  const turn = useCallback((y: number) => (flip ? full[3] - y : y), [flip, full]);

  useEffect(() => {
    if (canvas.current === null) return;
    try {
      painter.current = new Painter(canvas.current);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
    return () => {
      painter.current?.close();
      painter.current = null;
    };
  }, []);

  useEffect(() => {
    const ratio = window.devicePixelRatio || 1;
    onSize?.(Math.round(width * ratio), Math.round(height * ratio));
  }, [width, height, onSize]);

  useEffect(() => {
    if (shown !== null) painter.current?.show(shown);
  }, [shown]);

  useEffect(() => {
    const element = canvas.current;
    if (element === null || painter.current === null || width === 0) return;
    const ratio = window.devicePixelRatio || 1;
    const size = [Math.round(width * ratio), Math.round(height * ratio)] as const;
    if (element.width !== size[0] || element.height !== size[1]) [element.width, element.height] = size;
    if (shown === null) return;
    const view = flip
      ? ([shown.view[0], turn(shown.view[3]), shown.view[2], turn(shown.view[1])] as Box)
      : shown.view;
    painter.current.paint({
      target: [
        (at.left + (view[0] - box[0]) * at.scale[0]) / width,
        (at.top + (view[1] - box[1]) * at.scale[1]) / height,
        ((view[2] - view[0]) * at.scale[0]) / width,
        ((view[3] - view[1]) * at.scale[1]) / height,
      ],
      levels,
      scale,
      colours,
      fill: shown.fill,
      flip,
      absent: ink.absent,
      over: [0.85, 0.11, 0.38, 1],
    });
    element.dataset.frame = String(props.index);
    element.dataset.state = "drawn";
    onDrawn?.();
  });

  useEffect(() => {
    const context = over.current?.getContext("2d");
    if (!context || over.current === null) return;
    const ratio = window.devicePixelRatio || 1;
    over.current.width = Math.round(width * ratio);
    over.current.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const up = props.y;
    paint(context, {
      width,
      height,
      box,
      at,
      ink,
      x: props.x,
      y: up && flip ? (pixel) => up(turn(pixel)) : up,
      picture: flip ? null : shown,
      regions: { ...props.regions, ...(draft ? { new: draft } : {}) },
      chosen: draft ? "new" : (props.chosen ?? null),
      line: stroke ?? props.line ?? null,
    });
  });

  const where = (event: { clientX: number; clientY: number }): [number, number] => {
    const place = over.current?.getBoundingClientRect();
    return toFrame(box, at, event.clientX - (place?.left ?? 0), event.clientY - (place?.top ?? 0));
  };

  // React's own wheel listeners are passive: the page would scroll.
  const wheel = useRef<(event: WheelEvent) => void>(() => {});
  wheel.current = (event) => {
    event.preventDefault();
    const [x, y] = where(event);
    props.onBox(zoom(box, x, y, Math.exp(Math.max(-0.5, Math.min(0.5, event.deltaY * 0.002))), full));
  };
  useEffect(() => {
    const element = over.current;
    const listen = (event: WheelEvent) => wheel.current(event);
    element?.addEventListener("wheel", listen, { passive: false });
    return () => element?.removeEventListener("wheel", listen);
  }, []);

  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    over.current?.setPointerCapture(event.pointerId);
    drag.current = { from: where(event), box, moved: false };
  };
  const move = (event: PointerEvent) => {
    const now = where(event);
    setCursor(now);
    const start = drag.current;
    if (start === null) return;
    const far = Math.hypot((now[0] - start.from[0]) * at.scale[0], (now[1] - start.from[1]) * at.scale[1]);
    if (far > 3) start.moved = true;
    if (!start.moved) return;
    if (tool === "region") setDraft(rectangle(start.from, now, full));
    else if (tool === "line") {
      setStroke(
        [start.from[0], start.from[1], now[0], now[1]].map((v) => Math.round(v - 0.5)) as typeof stroke,
      );
    } else props.onBox(pan(box, start.from[0] - now[0], start.from[1] - now[1], full));
  };
  const up = (event: PointerEvent) => {
    const start = drag.current;
    drag.current = null;
    if (start === null) return;
    if (draft !== null) props.onRegion?.(draft);
    else if (stroke !== null) props.onLine?.(stroke);
    else if (!start.moved) {
      const [x, y] = where(event);
      props.onPick?.(x, turn(y));
    }
    setDraft(null);
    setStroke(null);
  };
  const key = (event: KeyboardEvent) => {
    const step = (box[2] - box[0]) / 10;
    const middle: [number, number] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
    const acts: Record<string, () => void> = {
      ArrowLeft: () => props.onBox(pan(box, -step, 0, full)),
      ArrowRight: () => props.onBox(pan(box, step, 0, full)),
      ArrowUp: () => props.onBox(pan(box, 0, -step, full)),
      ArrowDown: () => props.onBox(pan(box, 0, step, full)),
      "+": () => props.onBox(zoom(box, ...middle, 0.8, full)),
      "-": () => props.onBox(zoom(box, ...middle, 1.25, full)),
      "0": () => props.onBox(null),
      Escape: () => {
        drag.current = null;
        setDraft(null);
        setStroke(null);
      },
    };
    const act = acts[event.key];
    if (act !== undefined) {
      event.preventDefault();
      act();
    }
  };

  return (
    <div className="image">
      <div className="image-canvas" ref={holder}>
        <canvas ref={canvas} data-state="empty" />
        <canvas
          ref={over}
          className={`image-over tool-${tool}`}
          role="img"
          tabIndex={0}
          aria-label={`${props.label}. Arrow keys move the view, plus and minus zoom, 0 shows all.`}
          onPointerDown={down}
          onPointerMove={move}
          onPointerUp={up}
          onPointerLeave={() => setCursor(null)}
          onDoubleClick={() => props.onBox(null)}
          onKeyDown={key}
        />
        {problem !== "" && <p className="problem">{problem}</p>}
      </div>
      <p className="readout" aria-live="off">
        {cursor ? readout(props, shown, [cursor[0], turn(cursor[1])]) : describe(props, shown)}
      </p>
    </div>
  );
}

function describe(props: ImageProps, shown: Shown | null): string {
  if (shown === null) return "Nothing came yet.";
  const size = `${Math.round(props.full[2] - props.full[0])} × ${Math.round(props.full[3] - props.full[1])}`;
  return shown.bin > 1
    ? `${size}, shown as the ${props.reduce ?? "max"} of ${shown.bin} × ${shown.bin}`
    : size;
}

function readout(props: ImageProps, shown: Shown | null, at: [number, number]): string {
  const [x, y] = at;
  const names = props.names ?? ["x", "y"];
  const px = props.x ? words(props.x(x), 6) : String(Math.floor(x));
  const py = props.y ? words(props.y(y), 6) : String(Math.floor(y));
  let value = "";
  if (shown !== null) {
    const column = Math.floor((x - shown.view[0]) / shown.bin);
    const row = Math.floor((y - shown.view[1]) / shown.bin);
    if (column >= 0 && row >= 0 && column < shown.width && row < shown.height) {
      const found = shown.data[row * shown.width + column];
      value = found === shown.fill ? "saturated, masked or missing" : `${words(found, 6)} ${props.unit}`;
      if (shown.bin > 1) value += ` (${props.reduce ?? "max"} of ${shown.bin} × ${shown.bin})`;
    }
  }
  return `${names[0]} ${px}, ${names[1]} ${py}: ${value}`;
}
