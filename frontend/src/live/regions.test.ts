import { expect, test } from "vitest";
import type { Region } from "../client/types";
import { edit, free, inverse, meant, NAME, NONE } from "./regions";

const at = (x: number): Region => ({ kind: "rectangle", x, y: 0, width: 2, height: 2 });

test("every change is undone and done again, in order", () => {
  let state = meant(NONE, NONE.now, { a: at(0) }, "a");
  state = meant(state, state.now, { b: at(5) }, "b");
  state = meant(state, state.now, { a: at(9) });
  state = meant(state, state.now, { b: null, c: at(5) }, "c");
  const last = state.now;
  expect(last).toEqual({ a: at(9), c: at(5) });
  const seen = [];
  for (let k = 0; k < 4; k += 1) {
    state = edit(state, { act: "undo" });
    seen.push(state.now);
  }
  expect(seen).toEqual([{ a: at(9), b: at(5) }, { a: at(0), b: at(5) }, { a: at(0) }, {}]);
  expect(edit(state, { act: "undo" })).toBe(state);
  for (let k = 0; k < 4; k += 1) state = edit(state, { act: "redo" });
  expect(state.now).toEqual(last);
});

test("a new change forgets what was undone", () => {
  let state = meant(NONE, {}, { a: at(0) });
  state = edit(state, { act: "undo" });
  state = meant(state, {}, { b: at(1) });
  expect(edit(state, { act: "redo" })).toBe(state);
});

test("a drag is one step, however many places it went through", () => {
  let state = meant(NONE, {}, { a: at(0) });
  const before = state.now;
  for (const x of [1, 2, 3]) state = edit(state, { act: "draft", name: "a", region: at(x) });
  state = meant(state, before, { a: at(3) });
  expect(state.past).toHaveLength(2);
  expect(edit(state, { act: "undo" }).now).toEqual({ a: at(0) });
});

test("what was refused cannot be undone", () => {
  const change = { a: at(0) };
  const state = edit(meant(NONE, {}, change), { act: "refused", change });
  expect(state.past).toEqual([]);
});

test("what others took out is chosen no more", () => {
  const state = meant(NONE, {}, { a: at(0) }, "a");
  expect(edit(state, { act: "told", regions: {} }).chosen).toBeNull();
});

test("names", () => {
  expect(inverse({ a: at(0) }, { a: null, b: at(1) })).toEqual({ a: at(0), b: null });
  expect(free({ roi1: at(0), roi3: at(0) })).toBe("roi2");
  expect(["spot", "_a1"].every((name) => NAME.test(name))).toBe(true);
  expect(["", "1a", "a b", "é"].some((name) => NAME.test(name))).toBe(false);
});
