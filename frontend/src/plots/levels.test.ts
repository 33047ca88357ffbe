// @vitest-environment node
import { expect, test } from "vitest";
import { BINS, barRange, barScale, histogram, shifted } from "./levels";
import { autoLevels } from "./scale";

const q = { "0": 0, "0.01": 1, "0.05": 2, "0.5": 10, "0.95": 50, "0.99": 90, "0.999": 99, "1": 100 };

test("automatic levels lie between the quantiles that are chosen", () => {
  expect(autoLevels(q)).toEqual([1, 99]);
  expect(autoLevels(q, [0.05, 0.95])).toEqual([2, 50]);
  expect(autoLevels(q, [0, 1])).toEqual([0, 100]);
  expect(autoLevels({ "0": 5, "1": 5, "0.01": 5, "0.999": 5 })).toEqual([5, 6]);
  expect(autoLevels({})).toEqual([0, 1]);
});

test("the bar holds all values and the levels", () => {
  expect(barRange(q, [1, 99])).toEqual([0, 100]);
  expect(barRange(q, [-20, 400])).toEqual([-20, 400]);
  expect(barRange({}, [3, 3])).toEqual([3, 4]);
});

test("a few bright pixels do not squeeze the bar", () => {
  expect(barScale("linear", q)).toBe("linear");
  expect(barScale("linear", { ...q, "1": 65535 })).toBe("log");
  expect(barScale("gamma", { ...q, "1": 65535 })).toBe("gamma");
});

test("values are counted where they are; missing ones are not", () => {
  const heights = histogram(Uint16Array.of(0, 0, 0, 50, 100, 65535, 65535), 65535, [0, 100], "linear");
  expect(heights[0]).toBe(1);
  expect(heights[BINS / 2]).toBeCloseTo(Math.log(2) / Math.log(4));
  expect(heights[BINS - 1]).toBeCloseTo(Math.log(2) / Math.log(4));
  expect(heights.filter((h) => h > 0)).toHaveLength(3);
  expect(histogram(Float32Array.of(Number.NaN), null, [0, 1], "log").every((h) => h === 0)).toBe(true);
});

test("levels are moved and never cross", () => {
  expect(shifted([10, 50], 0, 0.25, [0, 100], "linear")).toEqual([25, 50]);
  expect(shifted([10, 50], 0, 0.8, [0, 100], "linear")).toEqual([50, 50]);
  expect(shifted([10, 50], 1, -3, [0, 100], "linear")).toEqual([10, 10]);
  expect(shifted([10, 50], 1, 0.9, [0, 100], "gamma")).toEqual([10, 81]);
});
