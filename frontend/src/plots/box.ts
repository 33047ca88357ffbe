/** The part of a frame that is looked at, and where it lies on the screen. */

export type Box = [x0: number, y0: number, x1: number, y1: number];

export interface Place {
  /** Pixels of the screen for one of the frame. */
  scale: [number, number];
  left: number;
  top: number;
}

/** How a box fills a canvas: square pixels stay square, unless the two sides measure different things. */
export function place(box: Box, width: number, height: number, square: boolean): Place {
  const sx = width / (box[2] - box[0]);
  const sy = height / (box[3] - box[1]);
  if (!square) return { scale: [sx, sy], left: 0, top: 0 };
  const s = Math.min(sx, sy);
  return {
    scale: [s, s],
    left: (width - s * (box[2] - box[0])) / 2,
    top: (height - s * (box[3] - box[1])) / 2,
  };
}

export const toScreen = (box: Box, at: Place, x: number, y: number): [number, number] => [
  at.left + (x - box[0]) * at.scale[0],
  at.top + (y - box[1]) * at.scale[1],
];

export const toFrame = (box: Box, at: Place, x: number, y: number): [number, number] => [
  box[0] + (x - at.left) / at.scale[0],
  box[1] + (y - at.top) / at.scale[1],
];

/** Zoomed about a point that stays where it is; never smaller than a few pixels, nor larger than the frame. */
export function zoom(box: Box, x: number, y: number, factor: number, full: Box): Box {
  const fx = limit(factor, box[2] - box[0], full[2] - full[0]);
  const fy = limit(factor, box[3] - box[1], full[3] - full[1]);
  return clamp(
    [x - (x - box[0]) * fx, y - (y - box[1]) * fy, x + (box[2] - x) * fx, y + (box[3] - y) * fy],
    full,
  );
}

function limit(factor: number, size: number, whole: number): number {
  return Math.min(whole / size, Math.max(Math.min(4, whole) / size, factor));
}

/** Two fingers: what lay between them stays there, and the view grows as they part.
 *
 * @param from where the fingers were on the screen, when the view was `box`.
 */
export function pinch(
  box: Box,
  from: [[number, number], [number, number]],
  to: [[number, number], [number, number]],
  full: Box,
  size: [number, number],
  square: boolean,
): Box {
  const far = ([a, b]: typeof from) => Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1]));
  const middle = ([a, b]: typeof from) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] as const;
  const held = toFrame(box, place(box, ...size, square), ...middle(from));
  const next = zoom(box, ...held, far(from) / far(to), full);
  const there = toFrame(next, place(next, ...size, square), ...middle(to));
  return pan(next, held[0] - there[0], held[1] - there[1], full);
}

export function pan(box: Box, dx: number, dy: number, full: Box): Box {
  return clamp([box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy], full);
}

/** Inside the frame, of the same size. */
export function clamp(box: Box, full: Box): Box {
  const width = Math.min(box[2] - box[0], full[2] - full[0]);
  const height = Math.min(box[3] - box[1], full[3] - full[1]);
  const x = Math.min(full[2] - width, Math.max(full[0], box[0]));
  const y = Math.min(full[3] - height, Math.max(full[1], box[1]));
  return [x, y, x + width, y + height];
}

export const same = (a: Box | null, b: Box | null) =>
  a === b || (a !== null && b !== null && a.every((edge, k) => Math.abs(edge - (b[k] ?? 0)) < 1e-6));

/** Whole pixels between two corners, inside the frame. */
export function rectangle(a: [number, number], b: [number, number], full: Box) {
  const x0 = Math.max(full[0], Math.floor(Math.min(a[0], b[0])));
  const y0 = Math.max(full[1], Math.floor(Math.min(a[1], b[1])));
  const x1 = Math.min(full[2], Math.ceil(Math.max(a[0], b[0])));
  const y1 = Math.min(full[3], Math.ceil(Math.max(a[1], b[1])));
  return {
    kind: "rectangle" as const,
    x: x0,
    y: y0,
    width: Math.max(1, x1 - x0),
    height: Math.max(1, y1 - y0),
  };
}
