import { expect, test } from "vitest";
import { aChannel, aRun } from "../testing";
import { explain, movements } from "./explain";

const line = (axis: string, start: number, stop: number, num: number) => ({
  type: "Linspace",
  axis,
  start,
  stop,
  num,
});

test("a step scan says what moves, how finely, and what is measured", () => {
  const run = aRun({
    axes: ["sx"],
    count_time: 0.01,
    parameters: { kind: "step", path: line("sx", -1, 1, 41) },
    channels: { sx: aChannel("sx", "axis", "mm"), diode: aChannel("diode", "counter", "count") },
  });
  expect(explain(run)).toBe("sx from -1 to 1 mm in 41 points, 10 ms at each. Measured: diode.");
  run.parameters.relative = true;
  expect(explain(run)).toContain("around where it was");
});

test("a continuous scan is told by the ends of its turn, not by the middles of its points", () => {
  const run = aRun({
    axes: ["rot"],
    count_time: 0.02,
    parameters: { kind: "fly", path: { type: "Fly", spec: line("rot", 0.25, 19.75, 40) } },
    channels: {
      rot: aChannel("rot", "axis", "deg"),
      "rot:start": aChannel("rot:start", "other", "deg", "rot"),
      cam: aChannel("cam", "frame"),
      "cam:start": aChannel("cam:start", "time", "s", "cam"),
      diode: aChannel("diode", "counter"),
    },
  });
  expect(explain(run)).toBe(
    "rot from 0 to 20 deg without a stop: 40 exposures of 20 ms. Measured: cam and diode.",
  );
});

test("a mesh says its rows", () => {
  const path = {
    type: "Product",
    outer: line("sz", 0, 1, 31),
    inner: { type: "Snake", spec: line("sx", -1, 1, 41) },
  };
  const channels = { sx: aChannel("sx", "axis", "mm"), sz: aChannel("sz", "axis", "mm") };
  const run = aRun({ axes: ["sz", "sx"], count_time: 1, parameters: { kind: "step", path }, channels });
  expect(explain(run)).toBe("sx from -1 to 1 mm in 41 points, 1 s at each; 31 rows, sz from 0 to 1 mm.");
});

test("axes that move together are told together", () => {
  const path = { type: "Zip", left: line("a", 0, 1, 11), right: line("b", 2, 3, 11) };
  expect(movements(path)).toEqual([
    [
      { axis: "a", from: 0, to: 1, points: 11 },
      { axis: "b", from: 2, to: 3, points: 11 },
    ],
  ]);
});

test("counting in time, sequences, results and unknown paths have their sentence", () => {
  const channels = { diode: aChannel("diode", "counter") };
  expect(explain(aRun({ total: 10, count_time: 0.5, parameters: { kind: "time" }, channels }))).toBe(
    "Nothing moves. 10 counts of 500 ms. Measured: diode.",
  );
  expect(explain(aRun({ parameters: { steps: ["dark images", "move sx", "reference images"] } }))).toBe(
    "A sequence: dark images, then reference images.",
  );
  const slices = { slices: aChannel("slices", "result") };
  expect(explain(aRun({ parent: "x", technique: "tomography", channels: slices }))).toBe(
    "Slices: computed from what was measured (tomography), and shown as it came.",
  );
  const spiral = aRun({
    axes: ["a", "b"],
    total: 100,
    count_time: 1,
    parameters: { kind: "step", path: { type: "Spiral" } },
  });
  expect(explain(spiral)).toBe("a and b move along a path of 100 points, 1 s at each.");
  expect(explain(aRun({}))).toBe("");
});
