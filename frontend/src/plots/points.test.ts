// @vitest-environment node
import { expect, test } from "vitest";
import { boxOf, diameter, fromUnits, nearest, type Points, rim, SIDE, seenOf, toUnits } from "./points";

const points: Points = {
  x: Float32Array.of(0, 5, 10, 5),
  y: Float32Array.of(-1, 0, 1, 0),
  z: Float32Array.of(1, 2, 3, 4),
  rim: [...rim(0, 10), ...rim(-1, 1)],
};

test("places go to units and come back; up is up", () => {
  for (const [x, y] of [
    [0, -1],
    [3.3, 0.2],
    [10, 1],
  ] as const) {
    const [u, v] = fromUnits(points, ...toUnits(points, x, y));
    expect(u).toBeCloseTo(x);
    expect(v).toBeCloseTo(y);
  }
  expect(toUnits(points, 5, 1)[1]).toBeLessThan(toUnits(points, 5, -1)[1]);
  expect(toUnits(points, 5, 0)).toEqual([SIDE / 2, SIDE / 2]);
});

test("what is seen stays where it is while the points spread", () => {
  const seen = seenOf(points, [100, 200, 300, 400]);
  const wider = { rim: [...rim(-40, 30), ...rim(-5, 2)] as Points["rim"] };
  const again = seenOf(wider, boxOf(wider, seen));
  for (const [k, edge] of again.entries()) expect(edge).toBeCloseTo(seen[k] ?? 0);
});

test("the nearest point is found within reach, the last of those at one place", () => {
  const scale: [number, number] = [0.5, 0.5];
  expect(nearest(points, toUnits(points, 5, 0), scale, 10)).toBe(3);
  expect(nearest(points, toUnits(points, 0.1, -1), scale, 10)).toBe(0);
  expect(nearest(points, toUnits(points, 2.5, -0.5), scale, 10)).toBeNull();
});

test("points have a size that is seen, and one position alone has a rim", () => {
  expect(diameter(100_000, 500, 500, 1)).toBe(3);
  expect(diameter(1, 500, 500, 1)).toBe(24);
  const [low, high] = rim(7, 7);
  expect(high).toBeGreaterThan(low);
});
