import { expect, test } from "vitest";
import { format, parse, START, type View, ViewStore } from "./view";

const FULL: View = {
  page: "live",
  run: "live~0042",
  plot: "image",
  channel: "cam:frames",
  x: "rot",
  y: ["diode", "ring"],
  right: ["ring"],
  log: true,
  derivative: true,
  monitor: "i0",
  range: [-1.5, 2.25],
  box: [0, 0, 100.5, 80],
  index: 12,
  colours: "cividis",
  scale: "log",
  levels: [0, 4096],
  over: ["a", "b"],
  marks: ["cen", "peak"],
  intro: false,
};

test("a view survives its address", () => {
  expect(parse(format(FULL))).toEqual(FULL);
  expect(parse(format(START))).toEqual(START);
  expect(format(START)).toBe("");
});

test.each(["?range=1", "?range=a,b", "?i=-3", "?plot=pie", "?scale=cubic", "?box=1,2,3", "?levels=,"])(
  "%s is as if it had not been said",
  (search) => {
    expect(parse(search)).toEqual(START);
  },
);

test("small changes replace the address, others can be undone by going back", () => {
  window.history.replaceState(null, "", "/fl/?run=a");
  const store = new ViewStore(window);
  const before = window.history.length;
  store.go({ range: [0, 1] }, true);
  expect(window.location.pathname + window.location.search).toBe("/fl/?run=a&range=0,1");
  expect(window.history.length).toBe(before);
  store.go({ run: "b" });
  expect(window.history.length).toBe(before + 1);
  expect(store.get().run).toBe("b");
});
