/** An image: true values with a colour map, zoomed to single pixels, with regions and lines drawn by mouse or keys. */

import { useCallback, useEffect, useRef, useState } from "react";
import type { NumberArray } from "../client/payload";
import type { Region } from "../client/types";
import { type Box, place } from "./box";
import { type Line, type RegionHands, type Tool, useGestures } from "./gestures";
import { Painter } from "./gl";
import { PointPainter } from "./glpoints";
import { paint } from "./overlay";
import { diameter, nearest, type Points, toUnits } from "./points";
import { type Scale, value as valueAt, words } from "./scale";
import { useInk, useSize } from "./size";

export interface Shown {
  data: NumberArray;
  width: number;
  height: number;
  /** The part of the frame that it covers, in pixels of the frame. */
  view: Box;
  bin: number;
  fill: number | null;
  /** What pixels are that have the value `fill`. */
  filled?: "saturated" | "masked or missing" | "missing";
  /** What grey levels stand for: the data are 0 to 255, and coloured already. */
  grey?: { low: number; high: number; scale: Scale } | null;
}

export interface ImageProps {
  label: string;
  shown: Shown | null;
  /** Points in place of an array; always or never for one image. */
  points?: Points;
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
  tool?: Tool;
  regions?: Record<string, Region>;
  chosen?: string | null;
  /** Regions that cannot be changed. */
  fixed?: readonly string[];
  /** What can be done to the others. */
  hands?: RegionHands | null;
  line?: Line | null;
  onDraw?: (region: Region) => void;
  onLine?: (line: Line) => void;
  onPick?: (x: number, y: number) => void;
  onDrawn?: () => void;
}

const REACH = 14; // screen pixels within which a point is meant
const SATURATED: [number, number, number, number] = [0.85, 0.11, 0.38, 1];
const MASKED: [number, number, number, number] = [0.5, 0.5, 0.55, 1];
const NOTHING: Record<string, Region> = {};

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
  const dots = useRef<PointPainter | null>(null);
  const [problem, setProblem] = useState("");
  const [width, height] = useSize(holder);
  const ink = useInk();
  const { points } = props;
  const scattered = points !== undefined;
  const box = props.box ?? full;
  const at = place(box, width, height, square);
  // Rows that go up are turned in the frame's own coordinates, so that everything else need not know.
  const turn = useCallback((y: number) => (flip ? full[3] - y : y), [flip, full]);

  const regions = props.regions ?? NOTHING;
  const { onPick } = props;
  const { cursor, draft, stroke, style, on } = useGestures(over, {
    box,
    full,
    size: [width, height],
    square,
    tool,
    regions,
    chosen: props.chosen ?? null,
    fixed: props.fixed ?? [],
    hands: props.hands ?? null,
    onBox: props.onBox,
    onPick:
      onPick &&
      ((place) => {
        const found = points === undefined ? null : nearest(points, place, at.scale, REACH);
        if (points === undefined) onPick(place[0], turn(place[1]));
        else if (found !== null) {
          const [x, y] = toUnits(points, points.x[found] ?? 0, points.y[found] ?? 0);
          onPick(x, turn(y));
        }
      }),
    onDraw: props.onDraw,
    onLine: props.onLine,
  });

  useEffect(() => {
    if (canvas.current === null) return;
    try {
      if (scattered) dots.current = new PointPainter(canvas.current);
      else painter.current = new Painter(canvas.current);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
    return () => {
      painter.current?.close();
      dots.current?.close();
      painter.current = dots.current = null;
    };
  }, [scattered]);

  useEffect(() => {
    const ratio = window.devicePixelRatio || 1;
    onSize?.(Math.round(width * ratio), Math.round(height * ratio));
  }, [width, height, onSize]);

  useEffect(() => {
    if (shown !== null) painter.current?.show(shown);
  }, [shown]);
  useEffect(() => {
    if (points !== undefined) dots.current?.show(points);
  }, [points]);

  useEffect(() => {
    const element = canvas.current;
    if (element === null || width === 0) return;
    const ratio = window.devicePixelRatio || 1;
    const size = [Math.round(width * ratio), Math.round(height * ratio)] as const;
    if (element.width !== size[0] || element.height !== size[1]) [element.width, element.height] = size;
    if (points !== undefined && dots.current !== null) {
      dots.current.paint({
        left: (at.left - box[0] * at.scale[0]) * ratio,
        top: (at.top - box[1] * at.scale[1]) * ratio,
        unit: [at.scale[0] * ratio, at.scale[1] * ratio],
        size: diameter(points.x.length, width, height, (full[2] - full[0]) / (box[2] - box[0])) * ratio,
        levels,
        scale,
        colours,
        absent: ink.absent,
      });
      element.dataset.frame = String(props.index);
      element.dataset.state = "drawn";
      onDrawn?.();
    }
    if (shown === null || painter.current === null) return;
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
      levels: shown.grey ? [0, 255] : levels,
      scale: shown.grey ? "linear" : scale,
      colours,
      fill: shown.fill,
      flip,
      absent: ink.absent,
      over:
        shown.filled === "missing" ? ink.absent : shown.filled === "masked or missing" ? MASKED : SATURATED,
      striped: shown.filled === "masked or missing",
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
      picture: flip || shown?.grey ? null : shown,
      regions: draft ? { ...regions, new: draft } : regions,
      chosen: draft ? "new" : (props.chosen ?? null),
      fixed: props.fixed ?? [],
      line: stroke ?? props.line ?? null,
    });
  });

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
          data-box={box.map((edge) => Number(edge.toFixed(2))).join(",")}
          data-chosen={props.chosen ?? ""}
          // One finger scrolls the page past an image that is shown whole.
          style={{
            touchAction: props.box === null && tool === "pan" ? "pan-y" : "none",
            cursor: style || undefined,
          }}
          {...on}
        />
        {problem !== "" && <p className="problem">{problem}</p>}
      </div>
      <p className="readout" aria-live="off">
        {cursor === null
          ? describe(props, shown)
          : points === undefined
            ? readout(props, shown, [cursor[0], turn(cursor[1])])
            : pointed(props, points, nearest(points, cursor, at.scale, REACH))}
      </p>
    </div>
  );
}

function pointed(props: ImageProps, points: Points, found: number | null): string {
  if (found === null) return "No point is here.";
  const [x, y] = props.names ?? ["x", "y"];
  const at = `${x} ${words(points.x[found], 6)}, ${y} ${words(points.y[found], 6)}`;
  return `${at}: ${words(points.z[found], 6)} ${props.unit} (point ${found + 1})`;
}

/** The value for which a grey level stands. */
export function truth(grey: NonNullable<Shown["grey"]>, level: number): number {
  return valueAt(level / 255, grey.low, grey.high, grey.scale);
}

function describe(props: ImageProps, shown: Shown | null): string {
  if (props.points !== undefined) return `${props.points.x.length} points where they were measured`;
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
      value =
        found === shown.fill
          ? (shown.filled ?? "missing")
          : shown.grey
            ? `about ${words(truth(shown.grey, found ?? 0), 3)} ${props.unit}`
            : `${words(found, 6)} ${props.unit}`;
      if (shown.bin > 1) value += ` (${props.reduce ?? "max"} of ${shown.bin} × ${shown.bin})`;
    }
  }
  return `${names[0]} ${px}, ${names[1]} ${py}: ${value}`;
}
