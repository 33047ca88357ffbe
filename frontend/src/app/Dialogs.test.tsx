import { cleanup, fireEvent, screen, within } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { anApp, answers, operator, show } from "../show";
import { aListed, anAxis, aSession } from "../testing";
import { AbortDialog, type Act, Keys, MoveDialog, Notices, Palette } from "./Dialogs";

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const moving = (known = {}) =>
  anApp({
    sessions: { fl01: aSession({ axes: { sx: anAxis({ position: 0.5 }) } }) },
    asked: { session: "fl01", axis: "sx", to: 0.25 },
    ...known,
  });

test("a move is shown as a command, sent once it is confirmed, and the dialog goes", async () => {
  const asked = answers({ job: 3 });
  const app = moving();
  show(app, <MoveDialog />);
  const dialog = within(screen.getByRole("dialog", { hidden: true }));
  expect(dialog.getByText("umv sx 0.25")).toBeTruthy();
  fireEvent.change(dialog.getByLabelText(/sx, now 0.5 mm, limits -5 to 5/), { target: { value: "0.125" } });
  expect(dialog.getByText("umv sx 0.125")).toBeTruthy();
  fireEvent.click(dialog.getByText("Move"));
  await vi.waitFor(() => expect(app.state.get().asked).toBeNull());
  expect(asked).toEqual([
    { path: "api/move", body: { session: "fl01", targets: { sx: 0.125 }, relative: false } },
  ]);
});

test("what is no number is not sent, and a refusal is said where it was asked", async () => {
  answers({ error: { what: "sx cannot go to 9 mm.", hint: "Its limits are -5 and 5.", kind: "Limit" } }, 409);
  const app = moving();
  show(app, <MoveDialog />);
  const dialog = within(screen.getByRole("dialog", { hidden: true }));
  const field = dialog.getByLabelText(/sx, now/);
  const move = dialog.getByText<HTMLButtonElement>("Move");
  for (const text of ["", "abc", "1e999"]) {
    fireEvent.change(field, { target: { value: text } });
    expect(move.disabled).toBe(true);
  }
  fireEvent.change(field, { target: { value: "9" } });
  fireEvent.click(move);
  expect((await dialog.findByText(/sx cannot go/)).textContent).toBe(
    "sx cannot go to 9 mm. Its limits are -5 and 5.",
  );
  expect(app.state.get().asked).not.toBeNull();
});

test("an observer sees the move, and why it cannot be made", () => {
  show(moving({ me: { ...operator, role: "view" } }), <MoveDialog />);
  const dialog = within(screen.getByRole("dialog", { hidden: true }));
  expect(dialog.getByText<HTMLButtonElement>("Move").disabled).toBe(true);
  expect(dialog.getByText(/You look on/)).toBeTruthy();
});

test("an abort is asked first, and goes to the session of the run", async () => {
  const asked = answers({});
  const run = aListed({ state: "RUNNING", end: null, npoints: 7, session: "fl02" });
  const app = anApp({ runs: [run], open: "abort" });
  show(app, <AbortDialog />);
  const dialog = within(screen.getByRole("dialog", { hidden: true }));
  expect(dialog.getByText(/7 of 41 points are measured, and kept/)).toBeTruthy();
  expect(asked).toEqual([]);
  fireEvent.click(dialog.getByText("Abort scan"));
  await vi.waitFor(() =>
    expect(asked).toEqual([{ path: "api/abort", body: { session: "fl02", job: null } }]),
  );
  expect(app.state.get().open).toBe("");
});

const acts = (done: string[]): Act[] => [
  { keys: "g l", name: "Live: follow what runs", act: () => done.push("live") },
  { keys: "l", name: "Logarithmic, or not", act: () => done.push("log") },
];

test("the palette finds acts and runs by parts of their names, and takes the chosen one", () => {
  const done: string[] = [];
  const runs = [aListed(), aListed({ id: "r2", number: 2, title: "amesh sx 0 1 9 sz 0 1 9 0.1" })];
  const app = anApp({ runs, open: "palette" });
  show(app, <Palette acts={acts(done)} />);
  const box = screen.getByRole("combobox", { hidden: true });
  const names = () => screen.queryAllByRole("option", { hidden: true }).map((one) => one.textContent);
  expect(names()).toHaveLength(4);
  fireEvent.change(box, { target: { value: "MESH sz" } });
  expect(names()[0]).toContain("2 amesh sx 0 1 9 sz 0 1 9 0.1");
  expect(names()).toHaveLength(2);
  fireEvent.keyDown(box, { key: "Enter" });
  expect(app.view.get().run).toBe("r2");
  expect(app.state.get().open).toBe("");
  fireEvent.change(box, { target: { value: "l" } });
  fireEvent.keyDown(box, { key: "ArrowDown" });
  fireEvent.keyDown(box, { key: "Enter" });
  expect(done).toEqual(["log"]);
});

test("what is not in the palette's list is looked for among all runs", async () => {
  const asked = answers({ runs: [], more: false });
  const done: string[] = [];
  show(anApp({ open: "palette" }), <Palette acts={acts(done)} />);
  const box = screen.getByRole("combobox", { hidden: true });
  fireEvent.change(box, { target: { value: "xyz" } });
  fireEvent.keyDown(box, { key: "ArrowUp" });
  fireEvent.keyDown(box, { key: "Enter" });
  await vi.waitFor(() => expect(asked[0]?.path).toContain("text=xyz"));
  expect(done).toEqual([]);
});

test("the list of keys has every act", () => {
  show(anApp({ open: "keys" }), <Keys acts={acts([])} />);
  const rows = screen.getAllByRole("row", { hidden: true }).map((row) => row.textContent);
  expect(rows.slice(0, 2)).toEqual(["g lLive: follow what runs", "lLogarithmic, or not"]);
});

test("what went wrong is told with what to do, once, and can be put away", () => {
  const app = anApp();
  app.tell(new Error("The disk is full."));
  app.tell(new Error("The disk is full."));
  show(app, <Notices />);
  expect(screen.getAllByText(/The disk is full/)).toHaveLength(1);
  fireEvent.click(screen.getByRole("button", { name: "Dismiss" }));
  expect(screen.queryByText(/The disk is full/)).toBeNull();
});
