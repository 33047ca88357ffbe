/** Which plots a run deserves, from its channels. */

import type { Channel, RunDetail } from "../client/types";

export interface Choice {
  key: string;
  kind: "curve" | "image" | "map" | "spectrum" | "waterfall";
  title: string;
  channel: string | null;
}

/** The numbers of the parts of a sequence: the page lists the parts themselves. */
const PARTS = "scan_numbers";

const numbers = (channel: Channel) => channel.kind === "log" && channel.shape.length === 0;

/** Counters and results first; the ends of the intervals of an axis, and the like, last. */
export function counters(run: RunDetail): string[] {
  const rank = (c: Channel) => (c.role === "other" ? 1 : 0);
  return Object.values(run.channels)
    .filter((c) => numbers(c) && (c.role === "counter" || c.role === "result" || c.role === "other"))
    .filter((c) => c.name !== PARTS)
    .sort((a, b) => rank(a) - rank(b))
    .map((c) => c.name);
}

/** What a curve can have along its bottom; null is the number of the point. */
export function positions(run: RunDetail): string[] {
  const found = Object.values(run.channels).filter(
    (c) => numbers(c) && (c.role === "axis" || c.role === "time"),
  );
  const rank = (c: Channel) => (run.axes.includes(c.name) ? 0 : c.role === "axis" ? 1 : 2);
  return found.sort((a, b) => rank(a) - rank(b)).map((c) => c.name);
}

export function defaultX(run: RunDetail): string | null {
  const hint = run.plots[0]?.x;
  if (run.axes.length > 1) return null; // a mesh over one of its axes is a tangle
  if (hint !== undefined && run.channels[hint]) return hint;
  return run.axes.find((axis) => run.channels[axis]) ?? (run.channels.elapsed_time ? "elapsed_time" : null);
}

export function defaultY(run: RunDetail): string[] {
  const all = counters(run);
  const hinted = (run.plots[0]?.y ?? []).filter((name) => all.includes(name));
  return hinted.length > 0 ? hinted : all.slice(0, 1);
}

export function choose(run: RunDetail): Choice[] {
  const all = Object.values(run.channels).filter((channel) => channel.kind !== "ragged");
  const found: Choice[] = [];
  const add = (kind: Choice["kind"], title: string, channel: string | null) =>
    found.push({ key: channel === null ? kind : `${kind}:${channel}`, kind, title, channel });
  const frames = all.filter((c) => c.shape.length >= 2);
  for (const c of frames.filter((c) => c.role === "result")) add("image", c.name, c.name);
  const scalars = counters(run);
  if (run.axes.length >= 2 && scalars.length > 0) add("map", "map", null);
  for (const c of frames.filter((c) => c.role !== "result")) add("image", c.name, c.name);
  for (const c of all.filter((c) => c.shape.length === 1)) {
    add("spectrum", c.name, c.name);
    add("waterfall", `${c.name}, all`, c.name);
  }
  if (scalars.length > 0) add("curve", "curves", null);
  return found;
}

/** Steps of the axes that a map does not show, when this run has them: what was chosen for another run may not fit. */
export function planesOf(
  run: RunDetail,
  across: string | null,
  up: string | null,
  at: readonly number[] | null,
): number[] | null {
  if (at === null || run.shape.length < 3) return null;
  // Of axes that move together only the last ones have a dimension.
  const axes = run.axes.slice(-run.shape.length);
  const x = across ?? axes.at(-1);
  const y = up ?? axes.filter((name) => name !== x).at(-1);
  const sizes = run.shape.filter((_, k) => axes[k] !== x && axes[k] !== y);
  const fits = sizes.length === at.length && sizes.every((size, k) => (at[k] ?? size) < size);
  return fits ? [...at] : null;
}
