import { cleanup, fireEvent, screen, within } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { anApp, answers, operator, show } from "../show";
import { anAxis, aSession } from "../testing";
import { BottomStrip, TopBar } from "./Strip";

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
  localStorage.clear();
});

// jsdom knows no media queries.
window.matchMedia ??= () => ({ matches: false }) as MediaQueryList;

test("axes tell position, movement, the end of their travel, and silence", () => {
  const axes = {
    rot: anAxis({ position: 12.34567, unit: "deg", moving: true }),
    sx: anAxis({ position: 5, limits: [-5, 5] }),
    sz: anAxis({ error: "No answer within 3 s." }),
  };
  show(anApp({ sessions: { fl01: aSession({ axes }) } }), <BottomStrip />);
  const chips = within(screen.getByLabelText("Axes")).getAllByRole("button");
  expect(chips.map((chip) => chip.textContent)).toEqual([
    "rot 12.3457 deg moving",
    "sx 5 mm at its limit",
    "sz no answer",
  ]);
  expect(chips[2]?.title).toBe("No answer within 3 s.");
});

test("a click on an axis asks before anything moves; an observer cannot ask", () => {
  const app = anApp({ sessions: { fl01: aSession({ axes: { sx: anAxis({ position: 1 }) } }) } });
  const { unmount } = show(app, <BottomStrip />);
  fireEvent.click(screen.getByRole("button", { name: /sx/ }));
  expect(app.state.get().asked).toEqual({ session: "fl01", axis: "sx", to: 1 });
  unmount();
  app.state.set({ me: { ...operator, role: "view" } });
  show(app, <BottomStrip />);
  expect(screen.getByRole<HTMLButtonElement>("button", { name: /sx/ }).disabled).toBe(true);
});

test("the console says what was typed, what went wrong, and what to do", () => {
  const line = { time: 1_795_000_000, name: "root" };
  const log = [
    { ...line, level: "command" as const, text: "ascan sx 0 9 9 1", hint: "" },
    { ...line, level: "error" as const, text: "sx cannot go to 9 mm.", hint: "Its limits are -5 and 5." },
  ];
  show(anApp({ sessions: { fl01: aSession() }, log }), <BottomStrip />);
  const lines = within(screen.getByLabelText("Console")).getAllByRole("listitem");
  expect(lines[0]?.textContent).toContain("root> ascan sx 0 9 9 1");
  expect(lines[1]?.textContent).toContain("error: sx cannot go to 9 mm. Its limits are -5 and 5.");
});

test("a session that ended says so, and what to do", () => {
  const gone = aSession({ alive: false, error: "The session was killed.", axes: { sx: anAxis() } });
  show(anApp({ sessions: { fl01: gone } }), <BottomStrip />);
  expect(screen.getByText(/The session was killed. Positions are those of its end/)).toBeTruthy();
  expect(screen.getByRole<HTMLButtonElement>("button", { name: /sx/ }).disabled).toBe(true);
});

test("beam, shutter and where data go are told; stop reaches the session", async () => {
  const asked = answers({});
  show(anApp({ sessions: { fl01: aSession() } }), <TopBar />);
  expect(screen.getByText("beam 198.7 mA")).toBeTruthy();
  expect(screen.getByText("fshut open")).toBeTruthy();
  expect(screen.getByText("hc1234 / tooth / overview")).toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: "Stop all" }));
  await vi.waitFor(() => expect(asked).toEqual([{ path: "api/stop", body: { session: "fl01" } }]));
});

test("control is taken under a name, asked for, and given", async () => {
  const asked = answers(null);
  const app = anApp({ sessions: { fl01: aSession() } });
  const { unmount } = show(app, <TopBar />);
  fireEvent.change(screen.getByLabelText("Your name"), { target: { value: " Ada " } });
  fireEvent.click(screen.getByRole("button", { name: "Take control" }));
  await vi.waitFor(() => expect(asked.at(-1)?.body).toEqual({ action: "take", name: "Ada" }));
  unmount();

  const lease = { name: "Ada", mine: false, since: 0, expires: 300, requests: [] };
  app.state.set({ lease });
  const second = show(app, <TopBar />);
  expect(screen.getByText("Ada has control")).toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: "Ask for it" }));
  await vi.waitFor(() => expect(asked.at(-1)?.body).toMatchObject({ action: "request" }));
  second.unmount();

  app.state.set({ lease: { ...lease, mine: true, requests: [{ name: "Bob", since: 0 }] } });
  show(app, <TopBar />);
  expect(screen.getByRole("alert").textContent).toContain("Bob asks for control");
  fireEvent.click(screen.getByRole("button", { name: "give" }));
  await vi.waitFor(() => expect(asked.at(-1)?.body).toMatchObject({ action: "grant" }));
});

test("of several sessions one is chosen, and acts go to it", async () => {
  const asked = answers({});
  const sessions = { fl01: aSession(), fl02: aSession({ name: "fl02", proposal: "hc2" }) };
  const app = anApp({ sessions });
  show(app, <TopBar />);
  fireEvent.change(screen.getByRole("combobox", { name: "Session" }), { target: { value: "fl02" } });
  expect(window.location.search).toBe("?session=fl02");
  fireEvent.click(screen.getByRole("button", { name: "Stop all" }));
  await vi.waitFor(() => expect(asked.at(-1)?.body).toEqual({ session: "fl02" }));
});
