/** Points where they were measured: their places on the frame that an image moves and zooms, and what lies near. */

import type { NumberArray } from "../client/payload";
import type { Box } from "./box";

export interface Points {
  x: NumberArray;
  y: NumberArray;
  z: NumberArray;
  /** What the whole frame covers: x from and to, y from and to. */
  rim: [x0: number, x1: number, y0: number, y1: number];
}

/** Points lie on a square of so many units, whatever they measure; rows go down. */
export const SIDE = 1000;
export const SQUARE: Box = [0, 0, SIDE, SIDE];

/** A little more than what the points span. */
export function rim(a: number, b: number): [number, number] {
  const [low, high] = [Math.min(a, b), Math.max(a, b)];
  const margin = Math.max(high - low, 1e-12 * Math.max(1, Math.abs(high))) * 0.04;
  return [low - margin, high + margin];
}

export const toUnits = (points: Pick<Points, "rim">, x: number, y: number): [number, number] => {
  const [x0, x1, y0, y1] = points.rim;
  return [((x - x0) / (x1 - x0)) * SIDE, (1 - (y - y0) / (y1 - y0)) * SIDE];
};

export const fromUnits = (points: Pick<Points, "rim">, u: number, v: number): [number, number] => {
  const [x0, x1, y0, y1] = points.rim;
  return [x0 + (u / SIDE) * (x1 - x0), y0 + (1 - v / SIDE) * (y1 - y0)];
};

/** The part that is seen, in units, from positions: it stays where it is while the points spread. */
export function boxOf(points: Pick<Points, "rim">, seen: Box): Box {
  const [u0, v1] = toUnits(points, seen[0], seen[1]);
  const [u1, v0] = toUnits(points, seen[2], seen[3]);
  return [u0, v0, u1, v1];
}

export function seenOf(points: Pick<Points, "rim">, box: Box): Box {
  const [x0, y1] = fromUnits(points, box[0], box[1]);
  const [x1, y0] = fromUnits(points, box[2], box[3]);
  return [x0, y0, x1, y1];
}

/** Which point is nearest, within a reach along both directions of the screen; null when none is.
 *
 * @param at in units.
 * @param scale pixels of the screen for a unit.
 */
export function nearest(
  points: Points,
  at: readonly [number, number],
  scale: readonly [number, number],
  reach: number,
): number | null {
  const [x0, x1, y0, y1] = points.rim;
  const [kx, ky] = [(SIDE / (x1 - x0)) * scale[0], (SIDE / (y1 - y0)) * scale[1]];
  const [x, y] = fromUnits(points, ...at);
  let best = reach * reach;
  let found: number | null = null;
  for (let k = 0; k < points.x.length; k += 1) {
    const dx = ((points.x[k] as number) - x) * kx;
    const dy = ((points.y[k] as number) - y) * ky;
    const far = dx * dx + dy * dy;
    // Of points at one place the last was drawn on top.
    if (far <= best) [best, found] = [far, k];
  }
  return found;
}

/** Pixels of the screen across a point, so that so many of them nearly touch. */
export function diameter(count: number, width: number, height: number, zoom: number): number {
  return Math.max(3, Math.min(24, Math.sqrt((width * height) / Math.max(1, count)) * 0.8 * zoom));
}
