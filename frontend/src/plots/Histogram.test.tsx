import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { Histogram } from "./Histogram";

afterEach(cleanup);

function show(levels: [number, number] = [0, 50]) {
  const onLevels = vi.fn();
  render(
    <Histogram
      data={Uint16Array.of(0, 25, 50, 100)}
      fill={65535}
      quantiles={{ "0": 0, "0.01": 0, "0.99": 100, "1": 100 }}
      levels={levels}
      scale="linear"
      colours="viridis"
      unit="count"
      onLevels={onLevels}
    />,
  );
  return { onLevels, low: screen.getByRole("slider", { name: "Lowest level" }) };
}

test("levels are moved by keys, to the ends and never past each other", () => {
  const { onLevels, low } = show();
  const high = screen.getByRole("slider", { name: "Highest level" });
  fireEvent.keyDown(high, { key: "ArrowUp" });
  expect(onLevels).toHaveBeenLastCalledWith([0, 51]);
  fireEvent.keyDown(high, { key: "PageDown" });
  expect(onLevels).toHaveBeenLastCalledWith([0, 40]);
  fireEvent.keyDown(high, { key: "End" });
  expect(onLevels).toHaveBeenLastCalledWith([0, 100]);
  fireEvent.keyDown(low, { key: "End" });
  expect(onLevels).toHaveBeenLastCalledWith([50, 50]);
  expect(fireEvent.keyDown(low, { key: "s" })).toBe(true);
  expect(onLevels).toHaveBeenCalledTimes(4);
});

test("what a level is can be heard", () => {
  const { low } = show([20, 50]);
  expect(low.getAttribute("aria-valuenow")).toBe("20");
  expect(low.getAttribute("aria-valuetext")).toBe("20 count");
  expect([low.getAttribute("aria-valuemin"), low.getAttribute("aria-valuemax")]).toEqual(["0", "100"]);
});
