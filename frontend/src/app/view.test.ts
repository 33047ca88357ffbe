import { expect, test, vi } from "vitest";
import { format, parse, START, type View, ViewStore } from "./view";

const FULL: View = {
  page: "live",
  run: "live~0042",
  session: "fl02",
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
  across: "sx",
  up: "sy",
  at: [3, 0],
  auto: [0.05, 0.95],
  over: ["a", "b"],
  marks: ["cen", "peak"],
  intro: false,
};

test("a view survives its address", () => {
  expect(parse(format(FULL))).toEqual(FULL);
  expect(parse(format(START))).toEqual(START);
  expect(format(START)).toBe("");
});

test.each([
  "?range=1",
  "?range=a,b",
  "?i=-3",
  "?plot=pie",
  "?scale=cubic",
  "?box=1,2,3",
  "?levels=,",
  "?at=1,",
  "?at=-1",
])("%s is as if it had not been said", (search) => {
  expect(parse(search)).toEqual(START);
});

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

test("what is dragged writes the address now and then, at last where it rests", () => {
  vi.useFakeTimers();
  window.history.replaceState(null, "", "/fl/");
  const store = new ViewStore(window);
  const write = vi.spyOn(window.history, "replaceState");
  for (let k = 1; k <= 300; k += 1) {
    store.go({ levels: [0, k] }, true);
    vi.advanceTimersByTime(10);
  }
  expect(write.mock.calls.length).toBeLessThan(60);
  vi.advanceTimersByTime(200);
  expect(window.location.search).toBe("?levels=0,300");
  store.go({ levels: [0, 1] }, true);
  store.go({ levels: [0, 2] }, true);
  store.go({ run: "b" });
  expect(window.location.search).toBe("?run=b&levels=0,2");
  vi.advanceTimersByTime(200);
  expect(window.location.search).toBe("?run=b&levels=0,2");
  vi.restoreAllMocks();
  vi.useRealTimers();
});
