/** Regions of a frame: where they can be taken hold of, and what becomes of them when they are dragged. */

import type { Arc, Rectangle, Region } from "../client/types";
import { type Box, rectangle } from "./box";

export type Point = [x: number, y: number];

/** What of a region is held: an edge or corner of a rectangle by its compass, a part of an arc, or all of it. */
export type Grip =
  | "body"
  | "n"
  | "s"
  | "e"
  | "w"
  | "ne"
  | "nw"
  | "se"
  | "sw"
  | "inner"
  | "outer"
  | "start"
  | "stop";

export const CURSORS: Record<Grip, string> = {
  body: "move",
  n: "ns-resize",
  s: "ns-resize",
  e: "ew-resize",
  w: "ew-resize",
  ne: "nesw-resize",
  sw: "nesw-resize",
  nw: "nwse-resize",
  se: "nwse-resize",
  inner: "crosshair",
  outer: "crosshair",
  start: "crosshair",
  stop: "crosshair",
};

const RADIANS = Math.PI / 180;

/** Degrees from one angle to the other, more than 0 and at most 360. */
export function sweep(arc: Arc): number {
  const size = arc.a2 - arc.a1;
  return size >= 360 ? 360 : ((size % 360) + 360) % 360 || 360;
}

/** A place of an arc in edges of pixels: its own numbers say that the middle of pixel k is at k. */
function polar(arc: Arc, radius: number, angle: number): Point {
  return [
    arc.cx + 0.5 + radius * Math.cos(angle * RADIANS),
    arc.cy + 0.5 + radius * Math.sin(angle * RADIANS),
  ];
}

/** Where a region can be taken hold of. */
export function grips(region: Region): { grip: Grip; at: Point }[] {
  if (region.kind === "rectangle") {
    const { x, y, width, height } = region;
    const [right, bottom, cx, cy] = [x + width, y + height, x + width / 2, y + height / 2];
    return [
      { grip: "nw", at: [x, y] },
      { grip: "ne", at: [right, y] },
      { grip: "sw", at: [x, bottom] },
      { grip: "se", at: [right, bottom] },
      { grip: "n", at: [cx, y] },
      { grip: "s", at: [cx, bottom] },
      { grip: "w", at: [x, cy] },
      { grip: "e", at: [right, cy] },
    ];
  }
  const thick = region.r2 - region.r1;
  const middle = region.a1 + sweep(region) / 2;
  // The two ends of a whole ring lie together: they are held at different radii.
  return [
    { grip: "stop", at: polar(region, region.r1 + thick * 0.7, region.a2) },
    { grip: "start", at: polar(region, region.r1 + thick * 0.3, region.a1) },
    { grip: "outer", at: polar(region, region.r2, middle) },
    { grip: "inner", at: polar(region, region.r1, middle) },
  ];
}

/** Whether a place is in a region. */
export function within(region: Region, [x, y]: Point): boolean {
  if (region.kind === "rectangle") {
    return x >= region.x && x < region.x + region.width && y >= region.y && y < region.y + region.height;
  }
  const [dx, dy] = [x - 0.5 - region.cx, y - 0.5 - region.cy];
  const radius = Math.hypot(dx, dy);
  if (radius < region.r1 || radius >= region.r2) return false;
  const turn = (((Math.atan2(dy, dx) / RADIANS - region.a1) % 360) + 360) % 360;
  return turn < sweep(region);
}

/** What lies under the pointer: a grip of the chosen region first, then the smallest region.
 *
 * @param reach how far a grip reaches along x and y, in pixels of the frame.
 */
export function hit(
  regions: Record<string, Region>,
  chosen: string | null,
  at: Point,
  reach: Point,
): { name: string; grip: Grip } | null {
  const held = chosen === null ? undefined : regions[chosen];
  if (chosen !== null && held !== undefined) {
    const near = grips(held)
      .map(({ grip, at: place }) => ({
        grip,
        far: Math.hypot((place[0] - at[0]) / reach[0], (place[1] - at[1]) / reach[1]),
      }))
      .sort((a, b) => a.far - b.far)[0];
    if (near !== undefined && near.far <= 1) return { name: chosen, grip: near.grip };
  }
  const found = Object.entries(regions)
    .filter(([, region]) => within(region, at))
    .sort(([, a], [, b]) => area(a) - area(b))[0];
  return found === undefined ? null : { name: found[0], grip: "body" };
}

function area(region: Region): number {
  return region.kind === "rectangle"
    ? region.width * region.height
    : (Math.PI * (region.r2 ** 2 - region.r1 ** 2) * sweep(region)) / 360;
}

/** A region that is drawn from one place to another: from corner to corner, or from the centre of a ring to its rim. */
export function drawn(kind: Region["kind"], from: Point, to: Point, full: Box): Region {
  if (kind === "rectangle") return rectangle(from, to, full);
  const outer = Math.max(1, Math.hypot(to[0] - from[0], to[1] - from[1]));
  return tidy({
    kind: "arc",
    cx: from[0] - 0.5,
    cy: from[1] - 0.5,
    r1: outer * 0.75,
    r2: outer,
    a1: 0,
    a2: 360,
  });
}

/** A region in the middle of what is seen, for whoever has no mouse. */
export function central(kind: Region["kind"], box: Box, full: Box): Region {
  const [x, y] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
  const [w, h] = [(box[2] - box[0]) / 8, (box[3] - box[1]) / 8];
  return kind === "rectangle"
    ? drawn(kind, [x - w, y - h], [x + w, y + h], full)
    : drawn(kind, [x, y], [x + Math.min(w, h) * 2, y], full);
}

/** What a region becomes when one of its grips is dragged. */
export function dragged(region: Region, grip: Grip, from: Point, to: Point, full: Box): Region {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  if (grip === "body") return moved(region, dx, dy, full);
  if (region.kind === "rectangle") {
    const west = grip.includes("w");
    const north = grip.includes("n");
    const wide = west || grip.includes("e");
    const high = north || grip.includes("s");
    const x = Math.round(region.x + (west ? dx : 0));
    const y = Math.round(region.y + (north ? dy : 0));
    const right = Math.round(region.x + region.width + (wide && !west ? dx : 0));
    const bottom = Math.round(region.y + region.height + (high && !north ? dy : 0));
    // Dragged over its other side, it turns round.
    return rectangle([x, y], [x === right ? x + 1 : right, y === bottom ? y + 1 : bottom], full);
  }
  const radius = Math.hypot(to[0] - 0.5 - region.cx, to[1] - 0.5 - region.cy);
  const angle = Math.round(Math.atan2(to[1] - 0.5 - region.cy, to[0] - 0.5 - region.cx) / RADIANS);
  if (grip === "outer") return tidy({ ...region, r2: Math.max(region.r1 + 0.5, radius) });
  if (grip === "inner") return tidy({ ...region, r1: Math.min(region.r2 - 0.5, radius) });
  return tidy(grip === "start" ? { ...region, a1: angle } : { ...region, a2: angle });
}

/** Moved by whole pixels; a rectangle stays in the frame, the centre of an arc may leave it. */
export function moved(region: Region, dx: number, dy: number, full: Box): Region {
  if (region.kind === "arc") return tidy({ ...region, cx: region.cx + dx, cy: region.cy + dy });
  const put = (at: number, low: number, high: number) => Math.round(Math.max(low, Math.min(high, at)));
  return {
    ...region,
    x: put(region.x + dx, full[0], full[2] - region.width),
    y: put(region.y + dy, full[1], full[3] - region.height),
  };
}

/** Wider and higher by whole pixels; of an arc the angle it spans (by degrees) and its outer radius. */
export function grown(region: Region, dx: number, dy: number, full: Box): Region {
  if (region.kind === "arc") {
    const size = Math.max(1, Math.min(360, sweep(region) + dx));
    return tidy({ ...region, a2: region.a1 + size, r2: Math.max(region.r1 + 0.5, region.r2 + dy) });
  }
  return {
    ...region,
    width: Math.max(1, Math.min(full[2] - region.x, region.width + dx)),
    height: Math.max(1, Math.min(full[3] - region.y, region.height + dy)),
  };
}

/** Numbers that people can read, angles within one turn. */
function tidy(arc: Arc): Arc {
  const round = (value: number) => Math.round(value * 100) / 100;
  const a1 = ((arc.a1 % 360) + 360) % 360;
  return {
    kind: "arc",
    cx: round(arc.cx),
    cy: round(arc.cy),
    r1: Math.max(0, round(arc.r1)),
    r2: Math.max(0.5, round(arc.r2)),
    a1: round(a1),
    a2: round(a1 + sweep(arc)),
  };
}

/** As the shell writes it. */
export function numbers(region: Region): number[] {
  return region.kind === "rectangle"
    ? [region.x, region.y, region.width, region.height]
    : [region.cx, region.cy, region.r1, region.r2, region.a1, region.a2];
}

/** In words: where it is. */
export function told(region: Region): string {
  return region.kind === "rectangle"
    ? `columns ${region.x} to ${region.x + region.width - 1}, rows ${region.y} to ${region.y + region.height - 1}`
    : `around ${region.cx}, ${region.cy}: radii ${region.r1} to ${region.r2}, angles ${region.a1}° to ${region.a2}°`;
}

export const alike = (a: Region, b: Region) =>
  a.kind === b.kind && numbers(a).every((value, k) => Math.abs(value - (numbers(b)[k] ?? 0)) < 1e-6);

export type { Arc, Rectangle, Region };
