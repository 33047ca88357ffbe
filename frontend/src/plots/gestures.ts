/** What the mouse, fingers and keys do to an image: move and zoom it, draw and change regions, lines and masks. */

import { type KeyboardEvent, type PointerEvent, type RefObject, useEffect, useRef, useState } from "react";
import type { Region } from "../client/types";
import { type Box, pan, pinch, place, toFrame, zoom } from "./box";
import { CURSORS, central, dragged, drawn, type Grip, grown, hit, moved, type Point } from "./region";

export type Tool = "pan" | "rectangle" | "arc" | "line" | "brush" | "box";
export type Line = [number, number, number, number];

/** What can be done to regions. */
export interface RegionHands {
  choose: (name: string | null) => void;
  /** While it is dragged. */
  draft: (name: string, region: Region) => void;
  /** By keys: meant once they rest. */
  nudge: (name: string, region: Region) => void;
  change: (name: string, region: Region) => void;
  remove: (name: string) => void;
  rename: (name: string) => void;
  undo: () => void;
  redo: () => void;
}

export interface Gestures {
  box: Box;
  full: Box;
  size: [number, number];
  square: boolean;
  tool: Tool;
  regions: Record<string, Region>;
  chosen: string | null;
  /** Regions that cannot be changed. */
  fixed: readonly string[];
  hands: RegionHands | null;
  onBox: (box: Box | null) => void;
  onPick?: ((at: Point) => void) | undefined;
  onDraw?: ((region: Region) => void) | undefined;
  onLine?: ((line: Line) => void) | undefined;
  /** A stroke of the brush, or the far corner of a box, over pixels. */
  onPaint?: ((from: Point, to: Point, phase: "begin" | "move" | "end") => void) | undefined;
}

type Pair = [[number, number], [number, number]];

interface Drag {
  from: Point;
  last: Point;
  box: Box;
  moved: boolean;
  held: { name: string; grip: Grip; region: Region } | null;
}

const FAR = 3; // screen pixels after which a click is a drag

export function useGestures(over: RefObject<HTMLCanvasElement | null>, given: Gestures) {
  const { box, full, size, square, tool, regions, chosen, hands } = given;
  const at = place(box, ...size, square);
  const drag = useRef<Drag | null>(null);
  const fingers = useRef(new Map<number, [number, number]>());
  const pinched = useRef<{ from: Pair; box: Box } | null>(null);
  const [cursor, setCursor] = useState<Point | null>(null);
  const [draft, setDraft] = useState<Region | null>(null);
  const [stroke, setStroke] = useState<Line | null>(null);
  const [style, setStyle] = useState("");

  const spot = (event: { clientX: number; clientY: number }): [number, number] => {
    const rim = over.current?.getBoundingClientRect();
    return [event.clientX - (rim?.left ?? 0), event.clientY - (rim?.top ?? 0)];
  };
  const where = (event: { clientX: number; clientY: number }): Point => toFrame(box, at, ...spot(event));
  const under = (event: PointerEvent) => {
    if (hands === null || tool !== "pan") return null;
    const free = Object.fromEntries(Object.entries(regions).filter(([name]) => !given.fixed.includes(name)));
    const reach = event.pointerType === "touch" ? 20 : 8;
    return hit(free, chosen, where(event), [reach / at.scale[0], reach / at.scale[1]]);
  };
  const forget = () => {
    const held = drag.current?.held;
    if (held && drag.current?.moved) hands?.draft(held.name, held.region);
    drag.current = null;
    setDraft(null);
    setStroke(null);
  };

  // React's own wheel listeners are passive: the page would scroll.
  const wheel = useRef<(event: WheelEvent) => void>(() => {});
  wheel.current = (event) => {
    event.preventDefault();
    const factor = Math.exp(Math.max(-0.5, Math.min(0.5, event.deltaY * 0.002)));
    given.onBox(zoom(box, ...where(event), factor, full));
  };
  useEffect(() => {
    const element = over.current;
    const listen = (event: WheelEvent) => wheel.current(event);
    element?.addEventListener("wheel", listen, { passive: false });
    return () => element?.removeEventListener("wheel", listen);
  }, [over]);

  const onPointerDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    over.current?.setPointerCapture?.(event.pointerId);
    fingers.current.set(event.pointerId, spot(event));
    if (fingers.current.size === 2) {
      forget();
      pinched.current = { from: [...fingers.current.values()] as Pair, box };
      return;
    }
    if (fingers.current.size > 2) return;
    const found = under(event);
    const region = found === null ? undefined : regions[found.name];
    const from = where(event);
    drag.current = {
      from,
      last: from,
      box,
      moved: false,
      held: found !== null && region !== undefined ? { ...found, region } : null,
    };
    if (found !== null && found.name !== chosen) hands?.choose(found.name);
    if (tool === "brush") given.onPaint?.(from, from, "begin");
  };

  const onPointerMove = (event: PointerEvent) => {
    const now = where(event);
    if (fingers.current.has(event.pointerId)) fingers.current.set(event.pointerId, spot(event));
    const two = pinched.current;
    if (two !== null && fingers.current.size === 2) {
      given.onBox(pinch(two.box, two.from, [...fingers.current.values()] as Pair, full, size, square));
      return;
    }
    setCursor(now);
    const start = drag.current;
    if (start === null) {
      const found = under(event);
      setStyle(found === null ? "" : CURSORS[found.grip]);
      return;
    }
    const far = Math.hypot((now[0] - start.from[0]) * at.scale[0], (now[1] - start.from[1]) * at.scale[1]);
    if (far > FAR) start.moved = true;
    if (!start.moved) return;
    if (tool === "brush") given.onPaint?.(start.last, now, "move");
    else if (start.held !== null) {
      const { name, grip, region } = start.held;
      hands?.draft(name, dragged(region, grip, start.from, now, full));
    } else if (tool === "rectangle" || tool === "box") setDraft(drawn("rectangle", start.from, now, full));
    else if (tool === "arc") setDraft(drawn("arc", start.from, now, full));
    else if (tool === "line") {
      setStroke([...start.from, ...now].map((v) => Math.round(v - 0.5)) as Line);
    } else given.onBox(pan(box, start.from[0] - now[0], start.from[1] - now[1], full));
    start.last = now;
  };

  const onPointerUp = (event: PointerEvent) => {
    const known = fingers.current.delete(event.pointerId);
    if (pinched.current !== null) {
      // The finger that stays does not go on as a drag: the view would jump.
      if (fingers.current.size === 0) pinched.current = null;
      return;
    }
    const start = drag.current;
    if (start === null || !known) return;
    const now = where(event);
    drag.current = null;
    if (tool === "brush") given.onPaint?.(start.last, now, "end");
    else if (start.held !== null) {
      const { name, grip, region } = start.held;
      if (start.moved) hands?.change(name, dragged(region, grip, start.from, now, full));
    } else if (tool === "box" && start.moved) given.onPaint?.(start.from, now, "end");
    else if (draft !== null) given.onDraw?.(draft);
    else if (stroke !== null) given.onLine?.(stroke);
    else if (!start.moved) {
      if (chosen !== null) hands?.choose(null);
      given.onPick?.(now);
    }
    setDraft(null);
    setStroke(null);
  };

  const onPointerCancel = (event: PointerEvent) => {
    fingers.current.delete(event.pointerId);
    if (fingers.current.size === 0) pinched.current = null;
    forget();
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const act = key(event);
    if (act === null) return;
    event.preventDefault();
    act();
  };

  const key = (event: KeyboardEvent): (() => void) | null => {
    const step = (box[2] - box[0]) / 10;
    const middle: Point = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const region = chosen === null || given.fixed.includes(chosen) ? undefined : regions[chosen];
    if (event.ctrlKey || event.metaKey) {
      if (hands === null) return null;
      const letter = event.key.toLowerCase();
      if (letter === "y" || (letter === "z" && event.shiftKey)) return hands.redo;
      return letter === "z" ? hands.undo : null;
    }
    if (arrow !== undefined) {
      const [dx = 0, dy = 0] = arrow;
      if (region === undefined || chosen === null || hands === null) {
        return () => given.onBox(pan(box, dx * step, dy * step, full));
      }
      const change = event.shiftKey ? grown : moved;
      return () => hands.nudge(chosen, change(region, dx, dy, full));
    }
    if (hands !== null && chosen !== null && region !== undefined) {
      if (event.key === "Delete" || event.key === "Backspace") return () => hands.remove(chosen);
      if (event.key === "Enter" || event.key === "F2") return () => hands.rename(chosen);
    }
    if (hands !== null && event.key.toLowerCase() === "n") {
      const names = Object.keys(regions).filter((name) => !given.fixed.includes(name));
      const by = event.key === "N" ? names.length - 1 : 1;
      const next = chosen === null ? names[0] : names[(names.indexOf(chosen) + by) % names.length];
      return names.length === 0 ? null : () => hands.choose(next ?? null);
    }
    if (event.key === "Enter" && (tool === "rectangle" || tool === "arc")) {
      return () => given.onDraw?.(central(tool, box, full));
    }
    switch (event.key) {
      case "+":
        return () => given.onBox(zoom(box, ...middle, 0.8, full));
      case "-":
        return () => given.onBox(zoom(box, ...middle, 1.25, full));
      case "0":
        return () => given.onBox(null);
      case "Escape":
        if (drag.current !== null) return forget;
        return chosen === null || hands === null ? null : () => hands.choose(null);
      default:
        return null;
    }
  };

  return {
    cursor,
    draft,
    stroke,
    style,
    on: {
      onPointerDown,
      onPointerMove,
      onPointerUp,
      onPointerCancel,
      onPointerLeave: () => setCursor(null),
      onDoubleClick: () => given.onBox(null),
      onKeyDown,
    },
  };
}
