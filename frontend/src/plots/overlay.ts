/** What is drawn over an image: axes, the numbers of single pixels, regions, a line. */

import type { NumberArray } from "../client/payload";
import type { Arc, Region } from "../client/types";
import { type Box, type Place, toScreen } from "./box";
import { grips, sweep } from "./region";
import { ticks, words } from "./scale";

export interface Ink {
  text: string;
  line: string;
  paper: string;
}

export interface Scene {
  width: number;
  height: number;
  box: Box;
  at: Place;
  ink: Ink;
  /** From pixels to what the axes say; the pixels themselves without. */
  x?: ((pixel: number) => number) | undefined;
  y?: ((pixel: number) => number) | undefined;
  picture?: {
    data: NumberArray;
    width: number;
    height: number;
    view: Box;
    bin: number;
    fill: number | null;
  } | null;
  regions: Record<string, Region>;
  /** Those that can be changed are drawn solid; of the chosen one the grips are shown. */
  chosen: string | null;
  fixed: readonly string[];
  line: [number, number, number, number] | null;
}

const READABLE = 34; // screen pixels that a number needs

export function paint(context: CanvasRenderingContext2D, scene: Scene) {
  const { width, height } = scene;
  context.clearRect(0, 0, width, height);
  context.font = "11px system-ui, sans-serif";
  numbers(context, scene);
  regions(context, scene);
  axes(context, scene);
  if (scene.line !== null) {
    const [ax, ay] = toScreen(scene.box, scene.at, scene.line[0] + 0.5, scene.line[1] + 0.5);
    const [bx, by] = toScreen(scene.box, scene.at, scene.line[2] + 0.5, scene.line[3] + 0.5);
    halo(context, () => {
      context.beginPath();
      context.moveTo(ax, ay);
      context.lineTo(bx, by);
    });
  }
}

/** A line that is seen on any colour. */
function halo(context: CanvasRenderingContext2D, path: () => void, dash: number[] = []) {
  context.setLineDash([]);
  path();
  context.strokeStyle = "rgba(0,0,0,.65)";
  context.lineWidth = 3.5;
  context.stroke();
  context.setLineDash(dash);
  path();
  context.strokeStyle = "#fff";
  context.lineWidth = 1.5;
  context.stroke();
  context.setLineDash([]);
}

function regions(context: CanvasRenderingContext2D, scene: Scene) {
  const { box, at } = scene;
  for (const [name, region] of Object.entries(scene.regions)) {
    const chosen = name === scene.chosen;
    const corner =
      region.kind === "rectangle"
        ? toScreen(box, at, region.x, region.y)
        : toScreen(box, at, region.cx + 0.5, region.cy + 0.5 - region.r2);
    if (region.kind === "rectangle") {
      const [x0, y0] = corner;
      const [x1, y1] = toScreen(box, at, region.x + region.width, region.y + region.height);
      halo(
        context,
        () => {
          context.beginPath();
          context.rect(x0, y0, x1 - x0, y1 - y0);
        },
        scene.fixed.includes(name) ? [5, 3] : [],
      );
    } else halo(context, () => arc(context, scene, region), scene.fixed.includes(name) ? [5, 3] : []);
    if (chosen) held(context, scene, region);
    // The name stays in sight when the upper edge does not.
    const x = Math.max(0, Math.min(scene.width - 20, corner[0]));
    const y = Math.max(15, Math.min(scene.height, corner[1]));
    const size = context.measureText(name).width;
    context.fillStyle = "rgba(0,0,0,.7)";
    context.fillRect(x, y - 15, size + 8, 14);
    context.fillStyle = "#fff";
    context.textBaseline = "middle";
    context.textAlign = "left";
    context.fillText(name, x + 4, y - 8);
  }
}

function arc(context: CanvasRenderingContext2D, { box, at }: Scene, region: Arc) {
  const [x, y] = toScreen(box, at, region.cx + 0.5, region.cy + 0.5);
  const [kx, ky] = at.scale;
  const begin = (region.a1 * Math.PI) / 180;
  const end = begin + (sweep(region) * Math.PI) / 180;
  context.beginPath();
  context.ellipse(x, y, region.r2 * kx, region.r2 * ky, 0, begin, end);
  if (sweep(region) < 360) {
    context.ellipse(x, y, region.r1 * kx, region.r1 * ky, 0, end, begin, true);
    context.closePath();
  } else if (region.r1 > 0) {
    context.moveTo(x + region.r1 * kx, y);
    context.ellipse(x, y, region.r1 * kx, region.r1 * ky, 0, 0, 2 * Math.PI);
  }
}

/** Where the chosen region can be taken hold of. */
function held(context: CanvasRenderingContext2D, scene: Scene, region: Region) {
  for (const { at } of grips(region)) {
    const [x, y] = toScreen(scene.box, scene.at, ...at);
    context.fillStyle = "#fff";
    context.strokeStyle = "#000";
    context.lineWidth = 1;
    context.beginPath();
    context.rect(x - 4, y - 4, 8, 8);
    context.fill();
    context.stroke();
  }
}

function numbers(context: CanvasRenderingContext2D, scene: Scene) {
  const { picture, box, at } = scene;
  if (picture?.bin !== 1 || Math.min(...at.scale) < READABLE) return;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let y = Math.max(0, Math.floor(box[1])); y < Math.ceil(box[3]); y += 1) {
    for (let x = Math.max(0, Math.floor(box[0])); x < Math.ceil(box[2]); x += 1) {
      const column = x - picture.view[0];
      const row = y - picture.view[1];
      if (column < 0 || row < 0 || column >= picture.width || row >= picture.height) continue;
      const value = picture.data[row * picture.width + column];
      const [sx, sy] = toScreen(box, at, x + 0.5, y + 0.5);
      const text = value === picture.fill ? "–" : words(value, 4);
      context.lineWidth = 3;
      context.strokeStyle = "rgba(0,0,0,.75)";
      context.strokeText(text, sx, sy);
      context.fillStyle = "#fff";
      context.fillText(text, sx, sy);
    }
  }
}

function axes(context: CanvasRenderingContext2D, scene: Scene) {
  const { box, at, ink, width, height } = scene;
  context.strokeStyle = ink.line;
  context.fillStyle = ink.text;
  context.lineWidth = 1;
  const label = (text: string, x: number, y: number) => {
    context.lineWidth = 3;
    context.strokeStyle = ink.paper;
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  };
  const along = scene.x ?? ((pixel: number) => pixel);
  const up = scene.y ?? ((pixel: number) => pixel);
  const bottom = Math.min(height, at.top + at.scale[1] * (box[3] - box[1]));
  context.textAlign = "center";
  context.textBaseline = "bottom";
  for (const tick of span(along(box[0]), along(box[2]), width / 90)) {
    const pixel = invert(along, tick, box[0], box[2]);
    const [x] = toScreen(box, at, pixel, 0);
    if (x > 12 && x < width - 12) label(words(tick, 6), x, bottom - 2);
  }
  context.textAlign = "left";
  context.textBaseline = "middle";
  for (const tick of span(up(box[1]), up(box[3]), height / 60)) {
    const pixel = invert(up, tick, box[1], box[3]);
    const [, y] = toScreen(box, at, 0, pixel);
    if (y > 10 && y < bottom - 16) label(words(tick, 6), Math.max(3, at.left + 3), y);
  }
}

const span = (a: number, b: number, about: number) => ticks(Math.min(a, b), Math.max(a, b), about);

/** Axes are straight lines: two points tell all. */
function invert(of: (pixel: number) => number, value: number, a: number, b: number): number {
  const [low, high] = [of(a), of(b)];
  return high === low ? a : a + ((value - low) / (high - low)) * (b - a);
}
