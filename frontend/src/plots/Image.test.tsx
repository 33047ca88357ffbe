import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Region } from "../client/types";
import type { RegionHands } from "./gestures";
import { Image, type ImageProps } from "./Image";

// jsdom neither draws nor measures: what is tested here is what keys and the pointer lead to.
beforeEach(() => {
  vi.stubGlobal(
    "ResizeObserver",
    class {
      constructor(private readonly told: ResizeObserverCallback) {}
      observe() {
        const entry = { contentRect: { width: 640, height: 480 } } as unknown as ResizeObserverEntry;
        this.told([entry], this as unknown as ResizeObserver);
      }
      disconnect() {}
      unobserve() {}
    },
  );
  vi.stubGlobal("matchMedia", () => ({
    matches: false,
    addEventListener: () => {},
    removeEventListener: () => {},
  }));
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(null);
});
afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const spot: Region = { kind: "rectangle", x: 10, y: 10, width: 20, height: 10 };
const ring: Region = { kind: "arc", cx: 40, cy: 30, r1: 5, r2: 8, a1: 0, a2: 360 };

function hands(): { [name in keyof RegionHands]: ReturnType<typeof vi.fn> & RegionHands[name] } {
  const names = ["choose", "draft", "nudge", "change", "remove", "rename", "undo", "redo"] as const;
  return Object.fromEntries(names.map((name) => [name, vi.fn()])) as unknown as ReturnType<typeof hands>;
}

function show(change: Partial<ImageProps> = {}) {
  const onBox = vi.fn();
  render(
    <Image
      label="cam, frame 3"
      shown={null}
      full={[0, 0, 64, 48]}
      box={null}
      onBox={onBox}
      levels={[0, 1]}
      scale="linear"
      colours="viridis"
      unit="count"
      index={3}
      {...change}
    />,
  );
  return { onBox, over: screen.getByRole("img", { name: /cam, frame 3/ }) };
}

test("a browser without WebGL2 is told so", () => {
  show();
  expect(screen.getByText(/does not draw with WebGL2/)).toBeTruthy();
});

test("keys move and zoom the view", () => {
  const { onBox, over } = show({ box: [10, 10, 30, 25] });
  fireEvent.keyDown(over, { key: "ArrowRight" });
  expect(onBox).toHaveBeenLastCalledWith([12, 10, 32, 25]);
  fireEvent.keyDown(over, { key: "+" });
  expect(onBox).toHaveBeenLastCalledWith([12, 11.5, 28, 23.5]);
  fireEvent.keyDown(over, { key: "0" });
  expect(onBox).toHaveBeenLastCalledWith(null);
  const other = fireEvent.keyDown(over, { key: "l" });
  expect(other).toBe(true); // left to the page
});

test("keys change the chosen region, not the view", () => {
  const what = hands();
  const { onBox, over } = show({ regions: { spot, ring }, chosen: "spot", hands: what });
  fireEvent.keyDown(over, { key: "ArrowDown" });
  expect(what.nudge).toHaveBeenLastCalledWith("spot", { ...spot, y: 11 });
  fireEvent.keyDown(over, { key: "ArrowLeft", shiftKey: true });
  expect(what.nudge).toHaveBeenLastCalledWith("spot", { ...spot, width: 19 });
  fireEvent.keyDown(over, { key: "Delete" });
  expect(what.remove).toHaveBeenCalledWith("spot");
  fireEvent.keyDown(over, { key: "Enter" });
  expect(what.rename).toHaveBeenCalledWith("spot");
  fireEvent.keyDown(over, { key: "n" });
  expect(what.choose).toHaveBeenLastCalledWith("ring");
  fireEvent.keyDown(over, { key: "Escape" });
  expect(what.choose).toHaveBeenLastCalledWith(null);
  fireEvent.keyDown(over, { key: "z", ctrlKey: true });
  fireEvent.keyDown(over, { key: "Z", ctrlKey: true, shiftKey: true });
  expect([what.undo.mock.calls.length, what.redo.mock.calls.length]).toEqual([1, 1]);
  expect(onBox).not.toHaveBeenCalled();
});

test("regions of the past are not changed", () => {
  const what = hands();
  const { onBox, over } = show({ regions: { spot }, fixed: ["spot"], chosen: "spot", hands: what });
  fireEvent.keyDown(over, { key: "ArrowDown" });
  fireEvent.keyDown(over, { key: "Delete" });
  expect(what.nudge).not.toHaveBeenCalled();
  expect(what.remove).not.toHaveBeenCalled();
  expect(onBox).toHaveBeenCalled();
});

// Ten pixels of the screen for one of the frame.
const at = (x: number, y: number, more = {}) => ({
  clientX: x * 10,
  clientY: y * 10,
  pointerId: 1,
  button: 0,
  ...more,
});

test("the pointer chooses a region and drags it; a click beside it lets go", () => {
  const what = hands();
  const { over } = show({ regions: { spot }, chosen: "spot", hands: what });
  fireEvent.pointerDown(over, at(20, 15));
  fireEvent.pointerMove(over, at(22, 16));
  fireEvent.pointerUp(over, at(23, 16));
  expect(what.draft).toHaveBeenCalledWith("spot", { ...spot, x: 12, y: 11 });
  expect(what.change).toHaveBeenCalledWith("spot", { ...spot, x: 13, y: 11 });
  fireEvent.pointerDown(over, at(50, 40));
  fireEvent.pointerUp(over, at(50, 40));
  expect(what.choose).toHaveBeenLastCalledWith(null);
});

test("a region is drawn, and Escape calls it off", () => {
  const onDraw = vi.fn();
  const { over } = show({ tool: "rectangle", onDraw });
  fireEvent.pointerDown(over, at(10.2, 10.2));
  fireEvent.pointerMove(over, at(20, 20));
  fireEvent.keyDown(over, { key: "Escape" });
  fireEvent.pointerUp(over, at(20, 20));
  expect(onDraw).not.toHaveBeenCalled();
  fireEvent.pointerDown(over, at(10.2, 10.2));
  fireEvent.pointerMove(over, at(20, 20));
  fireEvent.pointerUp(over, at(20, 20));
  expect(onDraw).toHaveBeenCalledWith({ kind: "rectangle", x: 10, y: 10, width: 10, height: 10 });
});

test("two fingers zoom about what lies between them, and end without a jump", () => {
  const { onBox, over } = show();
  act(() => {
    fireEvent.pointerDown(over, at(28, 24, { pointerId: 1, pointerType: "touch" }));
    fireEvent.pointerDown(over, at(36, 24, { pointerId: 2, pointerType: "touch" }));
    fireEvent.pointerMove(over, at(40, 24, { pointerId: 2, pointerType: "touch" }));
    fireEvent.pointerMove(over, at(24, 24, { pointerId: 1, pointerType: "touch" }));
  });
  const last = onBox.mock.lastCall?.[0] as number[];
  expect(last.map((edge) => Math.round(edge))).toEqual([16, 12, 48, 36]);
  const count = onBox.mock.calls.length;
  fireEvent.pointerUp(over, at(24, 24, { pointerId: 1, pointerType: "touch" }));
  fireEvent.pointerMove(over, at(10, 10, { pointerId: 2, pointerType: "touch" }));
  fireEvent.pointerUp(over, at(10, 10, { pointerId: 2, pointerType: "touch" }));
  expect(onBox.mock.calls.length).toBe(count);
});
