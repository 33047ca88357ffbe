// @vitest-environment node
import { expect, test } from "vitest";
import { Line } from "./line";

const MEGA = 1 << 20;

test("a fast line carries true values", () => {
  const line = new Line(() => false);
  expect(line.choose(4 * MEGA, 2, "native")).toBe("native");
  for (let k = 0; k < 5; k += 1) line.note(8 * MEGA, 60);
  expect(line.choose(4 * MEGA, 2, "native")).toBe("native");
});

test("a slower one carries grey levels, a slow one JPEG, and all again when it is fast", () => {
  const line = new Line(() => false);
  for (let k = 0; k < 9; k += 1) line.note(MEGA, 60);
  expect(line.choose(8 * MEGA, 2, "native")).toBe("u8");
  for (let k = 0; k < 9; k += 1) line.note(MEGA, 4000);
  expect(line.choose(8 * MEGA, 2, "u8")).toBe("jpeg");
  for (let k = 0; k < 20; k += 1) line.note(MEGA, 5);
  expect(line.choose(MEGA, 2, "jpeg")).toBe("native");
});

test("between the limits nothing changes to and fro", () => {
  const line = new Line(() => false);
  for (let k = 0; k < 30; k += 1) line.note(MEGA, 170); // 2 MB in 340 ms
  expect(line.choose(MEGA, 2, "native")).toBe("native");
  expect(line.choose(MEGA, 2, "u8")).toBe("u8");
});

test("small answers tell nothing of the speed", () => {
  const line = new Line(() => false);
  for (let k = 0; k < 30; k += 1) line.note(4000, 2);
  expect(line.rate).toBeNull();
});

test("whoever saves data gets JPEG", () => {
  expect(new Line(() => true).choose(100, 2, "native")).toBe("jpeg");
});
