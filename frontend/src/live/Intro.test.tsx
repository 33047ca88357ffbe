import { cleanup, fireEvent, screen } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import { anApp, show } from "../show";
import { aChannel, aListed, anAxis, aRun, aSession } from "../testing";
import { Intro, suggestion } from "./Intro";

afterEach(() => {
  cleanup();
  localStorage.clear();
});

test("the introduction is put away once, for this browser; an address can ask for it, or for none", () => {
  const first = show(anApp(), <Intro run={null} />);
  fireEvent.click(screen.getByRole("button", { name: "Got it" }));
  expect(screen.queryByLabelText("Introduction")).toBeNull();
  first.unmount();
  const second = show(anApp(), <Intro run={null} />);
  expect(screen.queryByLabelText("Introduction")).toBeNull();
  second.unmount();
  const third = show(anApp({}, "?intro=1"), <Intro run={null} />);
  expect(screen.getByLabelText("Introduction")).toBeTruthy();
  third.unmount();
  localStorage.clear();
  show(anApp({}, "?intro=0"), <Intro run={null} />);
  expect(screen.queryByLabelText("Introduction")).toBeNull();
});

test("the command that it proposes stays within the limits of the axis", () => {
  const run = aRun({ axes: ["sx"], channels: { diode: aChannel("diode", "counter") } });
  const at = (position: number) => aSession({ axes: { sx: anAxis({ position, limits: [-5, 5] }) } });
  expect(suggestion(at(0), run)).toBe("dscan(sx, -0.5, 0.5, 40, 0.05, diode)");
  expect(suggestion(at(4.8), run)).toBe("dscan(sx, -0.1, 0.1, 40, 0.05, diode)");
  expect(suggestion(at(5), run)).toBe("loopscan(100, 0.1, diode)");
  expect(suggestion(aSession(), null)).toBe("loopscan(100, 0.1)");
});

test("the result of what is shown is one click away", () => {
  const runs = [
    aListed({ id: "other", title: "slices of another", technique: "tomography", parent: "x" }),
    aListed({ id: "mine", title: "slices of this", technique: "tomography", parent: "seq" }),
  ];
  const app = anApp({ runs });
  show(app, <Intro run={aRun({ id: "part", parent: "seq" })} />);
  fireEvent.click(screen.getByRole("button", { name: "slices of this" }));
  expect(app.view.get().run).toBe("mine");
});
