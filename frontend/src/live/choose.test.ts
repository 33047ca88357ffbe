// @vitest-environment node
import { expect, test } from "vitest";
import type { RunDetail } from "../client/types";
import { planesOf } from "./choose";

const run = { axes: ["z", "y", "x"], shape: [3, 4, 5] } as unknown as RunDetail;

test("a plane is asked for only when the run has it", () => {
  expect(planesOf(run, null, null, [2])).toEqual([2]);
  expect(planesOf(run, null, null, [3])).toBeNull();
  expect(planesOf(run, "z", "y", [4])).toEqual([4]);
  expect(planesOf(run, "z", null, [3])).toEqual([3]); // over z and x: y is left
  expect(planesOf(run, null, null, [0, 0])).toBeNull();
  expect(planesOf(run, null, null, null)).toBeNull();
  expect(planesOf({ ...run, axes: ["y", "x"], shape: [4, 5] }, null, null, [0])).toBeNull();
});

test("axes that move together have one dimension", () => {
  const both = { axes: ["a", "z", "y", "x"], shape: [3, 4, 5] } as unknown as RunDetail;
  expect(planesOf(both, null, null, [2])).toEqual([2]);
});
