import { expect, test } from "vitest";
import { START } from "../app/view";
import { isPlain, load, pick, save } from "./layout";

const store = () => {
  const kept = new Map<string, string>();
  return {
    kept,
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
    removeItem: (name: string) => void kept.delete(name),
  };
};

test("each kind of scan has a layout of its own", () => {
  const place = store();
  const mesh = pick({ ...START, plot: "map", y: ["fluo"], colours: "inferno" });
  save("amesh", mesh, place);
  save("ascan", pick({ ...START, log: true }), place);
  expect(load("amesh", place)).toEqual(mesh);
  expect(load("ascan", place).log).toBe(true);
  expect(isPlain(load("ct", place))).toBe(true);
  save("amesh", pick(START), place);
  expect(place.kept.has("layout amesh")).toBe(false);
});

test("which run is shown, and which part of it, is no layout", () => {
  expect(isPlain(pick({ ...START, run: "a", range: [0, 1], box: [0, 0, 1, 1], index: 3, over: ["b"] }))).toBe(
    true,
  );
});

test.each(["{", "[]", "3", '{"y": "diode"}', '{"log": "yes"}', '{"plot": 5}'])("%s is no layout", (text) => {
  const place = store();
  place.kept.set("layout ct", text);
  expect(isPlain(load("ct", place))).toBe(true);
});
