// @vitest-environment node
import { expect, test } from "vitest";
import type { Arc, Rectangle } from "../client/types";
import type { Box } from "./box";
import { central, dragged, drawn, grips, grown, hit, moved, sweep, within } from "./region";

const FULL: Box = [0, 0, 100, 80];
const rect: Rectangle = { kind: "rectangle", x: 10, y: 20, width: 30, height: 15 };
const ring: Arc = { kind: "arc", cx: 50, cy: 40, r1: 10, r2: 20, a1: 0, a2: 360 };
const slice: Arc = { ...ring, a1: 330, a2: 420 };

test("each grip of a rectangle moves its own sides", () => {
  for (const { grip, at } of grips(rect)) {
    const next = dragged(rect, grip, at, [at[0] + 3, at[1] - 2], FULL) as Rectangle;
    expect([next.x, next.y, next.x + next.width, next.y + next.height], grip).toEqual([
      10 + (grip.includes("w") ? 3 : 0),
      20 - (grip.includes("n") ? 2 : 0),
      40 + (grip.includes("e") ? 3 : 0),
      35 - (grip.includes("s") ? 2 : 0),
    ]);
  }
});

test("a side that is dragged over the other turns the rectangle round, and never leaves it empty", () => {
  expect(dragged(rect, "e", [40, 25], [5, 25], FULL)).toMatchObject({ x: 5, width: 5 });
  expect(dragged(rect, "e", [40, 25], [10, 25], FULL)).toMatchObject({ x: 10, width: 1 });
});

test("a rectangle stays in the frame", () => {
  expect(moved(rect, 1000, -1000, FULL)).toMatchObject({ x: 70, y: 0, width: 30, height: 15 });
  expect(grown(rect, 1000, 1000, FULL)).toMatchObject({ width: 90, height: 60 });
  expect(grown(rect, -1000, -1000, FULL)).toMatchObject({ width: 1, height: 1 });
  expect(drawn("rectangle", [-5, -5], [500, 500], FULL)).toMatchObject({
    x: 0,
    y: 0,
    width: 100,
    height: 80,
  });
});

test("the ends of a ring are dragged apart, round by round", () => {
  expect(sweep(ring)).toBe(360);
  const quarter = dragged(ring, "stop", [0, 0], [50.5, 60.5], FULL) as Arc;
  expect([quarter.a1, quarter.a2]).toEqual([0, 90]);
  const turned = dragged(quarter, "start", [0, 0], [50.5, 20.5], FULL) as Arc;
  expect([turned.a1, turned.a2]).toEqual([270, 450]);
  expect(sweep(turned)).toBe(180);
});

test("the radii of an arc cannot cross", () => {
  expect(dragged(ring, "outer", [0, 0], [52, 40.5], FULL)).toMatchObject({ r1: 10, r2: 10.5 });
  expect(dragged(ring, "inner", [0, 0], [99, 40.5], FULL)).toMatchObject({ r1: 19.5, r2: 20 });
  expect(dragged(ring, "outer", [0, 0], [80.5, 40.5], FULL)).toMatchObject({ r2: 30 });
});

test("the centre of an arc may leave the frame", () => {
  expect(moved(ring, -80, 0, FULL)).toMatchObject({ cx: -30, cy: 40 });
});

test("an arc holds what lies between its radii and its angles", () => {
  expect(within(slice, [65.5, 40.5])).toBe(true);
  expect(within(slice, [60.5, 50.5])).toBe(true); // 45°, past a whole turn
  expect(within(slice, [50.5, 55.5])).toBe(false); // 90°
  expect(within(slice, [35.5, 40.5])).toBe(false);
  expect(within(slice, [55.5, 40.5])).toBe(false);
});

test("a grip of the chosen region counts before what lies below, and the smaller region before the larger", () => {
  const small: Rectangle = { kind: "rectangle", x: 15, y: 22, width: 4, height: 4 };
  expect(hit({ rect, small }, null, [16, 23], [2, 2])).toEqual({ name: "small", grip: "body" });
  expect(hit({ rect, small }, "rect", [10.5, 20.5], [2, 2])).toEqual({ name: "rect", grip: "nw" });
  expect(hit({ rect, small }, "rect", [90, 70], [2, 2])).toBeNull();
});

test("without a mouse a region comes into the middle", () => {
  expect(central("rectangle", [20, 20, 60, 60], FULL)).toMatchObject({ x: 35, y: 35, width: 10, height: 10 });
  expect(central("arc", [20, 20, 60, 60], FULL)).toMatchObject({
    cx: 39.5,
    cy: 39.5,
    r2: 10,
    a1: 0,
    a2: 360,
  });
});
