/** Levels between which values have colours, and how many values lie where. */

import type { NumberArray } from "../client/payload";
import { type Scale, share, value } from "./scale";

/** Parts of the pixels that the automatic levels leave out, below and above. */
export const QUANTILES: readonly [number, number][] = [
  [0.01, 0.999],
  [0, 1],
  [0.01, 0.99],
  [0.05, 0.95],
];

const SAMPLE = 1 << 16;
export const BINS = 96;

/** How the bar is divided: as the colours are, but where a few bright pixels would squeeze all others together. */
export function barScale(scale: Scale, quantiles: Record<string, number | null>): Scale {
  if (scale !== "linear") return scale;
  const [low, middle, high] = [quantiles["0"] ?? 0, quantiles["0.99"] ?? 1, quantiles["1"] ?? 1];
  return high - low > 20 * Math.max(middle - low, 1e-30) ? "log" : "linear";
}

/** From where to where the bar goes: over all values, and over the levels. */
export function barRange(
  quantiles: Record<string, number | null>,
  levels: readonly [number, number],
): [number, number] {
  const low = Math.min(quantiles["0"] ?? levels[0], levels[0]);
  const high = Math.max(quantiles["1"] ?? levels[1], levels[1]);
  return high > low ? [low, high] : [low, low + 1];
}

/** Heights of the bar, 0 to 1, logarithmic: how many of the values lie in each of its parts. */
export function histogram(
  data: NumberArray,
  fill: number | null,
  range: readonly [number, number],
  scale: Scale,
): Float64Array {
  const counts = new Float64Array(BINS);
  const step = Math.max(1, Math.floor(data.length / SAMPLE));
  for (let k = 0; k < data.length; k += step) {
    const v = data[k] as number;
    if (v === fill || Number.isNaN(v) || v < range[0] || v > range[1]) continue;
    const bin = Math.min(BINS - 1, Math.floor(share(v, range[0], range[1], scale) * BINS));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const most = Math.log1p(counts.reduce((a, b) => Math.max(a, b), 1));
  return counts.map((count) => Math.log1p(count) / most);
}

/** A level that was moved, in shares of the bar; it never passes the other. */
export function shifted(
  levels: readonly [number, number],
  which: 0 | 1,
  to: number,
  range: readonly [number, number],
  scale: Scale,
): [number, number] {
  const at = value(Math.max(0, Math.min(1, to)), range[0], range[1], scale);
  return which === 0 ? [Math.min(at, levels[1]), levels[1]] : [levels[0], Math.max(at, levels[0])];
}
