/** Curves with uPlot: zoom goes out, so that the server can send what the view needs. */

import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { NumberArray } from "../client/payload";
import { CURVES } from "./colours";
import { words } from "./scale";
import { useInk, useSize } from "./size";

export interface Line {
  name: string;
  unit: string;
  x: NumberArray;
  y: NumberArray;
  right: boolean;
  /** Of a run of before: drawn behind, paler. */
  past: boolean;
}

export interface Mark {
  label: string;
  x: number;
  left?: number | null;
  right?: number | null;
}

export interface CurveProps {
  label: string;
  lines: Line[];
  x: { name: string; unit: string; time: boolean };
  log: boolean;
  marks: Mark[];
  /** Where the axis is now. */
  here: number | null;
  range: [number, number] | null;
  onRange: (range: [number, number] | null) => void;
  onPick?: (x: number) => void;
  count: number;
  onDrawn?: () => void;
}

/** Points in ascending order of x, as uPlot wants them; the very arrays where they are so already. */
export function ordered(x: NumberArray, y: NumberArray): [NumberArray, NumberArray, boolean] {
  let up = true;
  let down = true;
  for (let k = 1; k < x.length && (up || down); k += 1) {
    const step = (x[k] ?? 0) - (x[k - 1] ?? 0);
    if (step < 0) up = false;
    if (step > 0) down = false;
  }
  if (up) return [x, y, true];
  if (down) return [x.slice().reverse(), y.slice().reverse(), true];
  const order = Array.from(x.keys()).sort((a, b) => (x[a] ?? 0) - (x[b] ?? 0));
  return [Float64Array.from(order, (k) => x[k] ?? 0), Float64Array.from(order, (k) => y[k] ?? 0), false];
}

/** One table of all lines over the union of their positions; `null` is a gap, `undefined` no point of that line. */
export function table(lines: Line[]): { data: uPlot.AlignedData; joined: boolean[] } {
  const parts = lines.map((line) => ordered(line.x, line.y));
  const joined = parts.map((part) => part[2]);
  const first = parts[0];
  if (first === undefined) return { data: [[]], joined };
  const gaps = (y: NumberArray) => Array.from(y, (v) => (Number.isFinite(v) ? v : null));
  if (lines.every((line) => line.x === lines[0]?.x)) {
    return { data: [Array.from(first[0]), ...parts.map((part) => gaps(part[1]))], joined };
  }
  const tables = parts.map((part) => [Array.from(part[0]), gaps(part[1])] as uPlot.AlignedData);
  return { data: uPlot.join(tables), joined };
}

export function Curve(props: CurveProps) {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const [width, height] = useSize(holder);
  const ink = useInk();
  const look = JSON.stringify([
    props.lines.map((line) => [line.name, line.unit, line.right, line.past, line.x.length > 400]),
    props.x,
    props.log,
    ink.dark,
  ]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `look` stands for all that changes the plot itself
  useEffect(() => {
    if (holder.current === null || props.lines.length === 0) return;
    const { data, joined } = table(props.lines);
    const made = new uPlot(options(latest, ink, joined, width, height), data, holder.current);
    plot.current = made;
    return () => {
      plot.current = null;
      made.destroy();
    };
  }, [look]);

  useEffect(() => {
    if (width > 0 && height > 0) plot.current?.setSize({ width, height: Math.max(80, height - LEGEND) });
  }, [width, height]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a plot made anew (`look`) wants its range, too
  useEffect(() => {
    const made = plot.current;
    if (made === null) return;
    made.setData(table(props.lines).data, false);
    // The axes follow the data, unless somebody looks at a part.
    const range = latest.current.range;
    made.batch(() => {
      if (range !== null) made.setScale("x", { min: range[0], max: range[1] });
      else {
        const [low, high] = ends(made.data[0] as number[]);
        made.setScale("x", { min: low, max: high });
      }
    });
    if (holder.current !== null) {
      holder.current.dataset.count = String(props.count);
      holder.current.dataset.state = "drawn";
    }
    latest.current.onDrawn?.();
  }, [look, props.lines, props.range, props.count]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: they are drawn by hooks that read the newest props
  useEffect(() => plot.current?.redraw(false), [props.marks, props.here]);

  return (
    <div
      className="curve"
      ref={holder}
      role="img"
      aria-label={props.label}
      data-state="empty"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: zoomed by keys
      tabIndex={0}
      onKeyDown={(event) => {
        const made = plot.current;
        const scale = made?.scales.x;
        if (!scale || scale.min == null || scale.max == null) return;
        const size = scale.max - scale.min;
        const middle = (scale.min + scale.max) / 2;
        const acts: Record<string, () => void> = {
          "+": () => props.onRange([middle - size * 0.4, middle + size * 0.4]),
          "-": () => props.onRange([middle - size * 0.625, middle + size * 0.625]),
          ArrowLeft: () => props.onRange([middle - size * 0.6, middle + size * 0.4]),
          ArrowRight: () => props.onRange([middle - size * 0.4, middle + size * 0.6]),
          "0": () => props.onRange(null),
        };
        const act = acts[event.key];
        if (act !== undefined) {
          event.preventDefault();
          act();
        }
      }}
    />
  );
}

const LEGEND = 34;

function ends(x: ArrayLike<number>): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < x.length; k += 1) {
    const at = x[k] ?? Number.NaN;
    if (at < low) low = at;
    if (at > high) high = at;
  }
  if (!(high >= low)) return [0, 1];
  return high > low ? [low, high] : [low - 0.5, high + 0.5];
}

function options(
  latest: { current: CurveProps },
  ink: ReturnType<typeof useInk>,
  joined: boolean[],
  width: number,
  height: number,
): uPlot.Options {
  const { lines, x, log } = latest.current;
  const axis: uPlot.Axis = {
    stroke: ink.text,
    grid: { stroke: ink.line, width: 1 },
    ticks: { stroke: ink.line, width: 1 },
    font: "12px system-ui, sans-serif",
  };
  const side = (right: boolean): uPlot.Axis => ({
    ...axis,
    scale: right ? "right" : "y",
    side: right ? 1 : 3,
    size: 62,
    grid: { show: !right, stroke: ink.line, width: 1 },
    label: [...new Set(lines.filter((l) => l.right === right && !l.past).map((l) => l.unit))].join(", "),
    labelSize: 18,
    labelFont: "12px system-ui, sans-serif",
    values: (_, splits) => splits.map((v) => (v == null ? "" : words(v, 4))),
  });
  const distribution: uPlot.Scale = log ? { distr: 3, clamp: 1e-3 } : {};
  let present = -1;
  return {
    width: Math.max(50, width),
    height: Math.max(80, height - LEGEND),
    padding: [12, 12, 0, 0],
    cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 7 } },
    legend: { live: true },
    scales: { x: { time: false, auto: false }, y: distribution, right: distribution },
    axes: [
      {
        ...axis,
        label: x.unit ? `${x.name} (${x.unit})` : x.name,
        labelSize: 20,
        labelFont: axis.font as string,
      },
      side(false),
      ...(lines.some((line) => line.right) ? [side(true)] : []),
    ],
    series: [
      { label: x.name, value: (_, v) => (v == null ? "–" : `${words(v, 6)} ${x.unit}`) },
      ...lines.map((line, k): uPlot.Series => {
        if (!line.past) present += 1;
        const look = CURVES[(line.past ? k : present) % CURVES.length] ?? CURVES[0];
        const colour = look ? (ink.dark ? look.dark : look.light) : ink.text;
        const few = line.x.length <= 400;
        const drawn = joined[k] !== false;
        return {
          label: line.name,
          scale: line.right ? "right" : "y",
          stroke: line.past ? `${colour}88` : colour,
          width: drawn ? (line.past ? 1 : 1.6) : 0,
          dash: look?.dash ?? [],
          points: { show: few || !drawn, size: few ? 5 : 3, fill: colour },
          value: (_, v) => (v == null ? "–" : `${words(v, 6)} ${line.unit}`),
          ...(drawn ? {} : { paths: () => null }),
        };
      }),
    ],
    hooks: {
      setSelect: [
        (made) => {
          const { left, width: size } = made.select;
          if (size < 4) return;
          latest.current.onRange([made.posToVal(left, "x"), made.posToVal(left + size, "x")]);
          made.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
      draw: [(made) => marks(made, latest.current, ink)],
      ready: [
        (made) => {
          made.over.addEventListener("dblclick", () => latest.current.onRange(null));
          let from: number | null = null;
          made.over.addEventListener("mousedown", (event) => {
            from = event.clientX;
          });
          made.over.addEventListener("click", (event) => {
            // A drag was a zoom.
            if (from === null || Math.abs(event.clientX - from) > 3 || event.detail !== 1) return;
            const at = event.clientX - made.over.getBoundingClientRect().left;
            latest.current.onPick?.(made.posToVal(at, "x"));
          });
          made.over.addEventListener(
            "wheel",
            (event) => {
              event.preventDefault();
              const { min, max } = made.scales.x ?? {};
              if (min == null || max == null) return;
              const at = made.posToVal(event.clientX - made.over.getBoundingClientRect().left, "x");
              const factor = Math.exp(Math.max(-0.5, Math.min(0.5, event.deltaY * 0.002)));
              latest.current.onRange([at - (at - min) * factor, at + (max - at) * factor]);
            },
            { passive: false },
          );
        },
      ],
    },
  };
}

function marks(made: uPlot, props: CurveProps, ink: ReturnType<typeof useInk>) {
  const { ctx, bbox } = made;
  const ratio = window.devicePixelRatio || 1;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `${12 * ratio}px system-ui, sans-serif`;
  const upright = (x: number, dash: number[], text: string, row: number) => {
    const at = made.valToPos(x, "x", true);
    ctx.beginPath();
    ctx.setLineDash(dash.map((d) => d * ratio));
    ctx.moveTo(at, bbox.top);
    ctx.lineTo(at, bbox.top + bbox.height);
    ctx.stroke();
    if (text) {
      const size = ctx.measureText(text).width;
      const left = Math.min(at + 4 * ratio, bbox.left + bbox.width - size - 4 * ratio);
      ctx.fillText(text, left, bbox.top + (14 + 15 * row) * ratio);
    }
  };
  ctx.lineWidth = ratio;
  ctx.strokeStyle = ink.text;
  ctx.fillStyle = ink.text;
  if (props.here !== null) upright(props.here, [1, 3], "", 0);
  props.marks.forEach((mark, row) => {
    upright(mark.x, [6, 3], mark.label, row);
    if (mark.left != null && mark.right != null) {
      ctx.globalAlpha = 0.12;
      const a = made.valToPos(mark.left, "x", true);
      ctx.fillRect(a, bbox.top, made.valToPos(mark.right, "x", true) - a, bbox.height);
      ctx.globalAlpha = 1;
    }
  });
  ctx.restore();
}
