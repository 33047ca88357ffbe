import { afterEach, expect, test, vi } from "vitest";
import { anApp, answers } from "../show";
import { aListed, aSession } from "../testing";
import { current, merge, shownSession } from "./state";

afterEach(() => vi.unstubAllGlobals());

const running = { state: "RUNNING" as const, end: null };

test("the page follows what runs, of a sequence its part, else the newest with data", () => {
  const old = aListed({ id: "old", start: 1 });
  const empty = aListed({ id: "empty", start: 3, npoints: 0 });
  const sequence = aListed({ id: "seq", start: 4, ...running });
  const part = aListed({ id: "part", start: 5, parent: "seq", ...running });
  expect(current([part, sequence, old], null)).toBe("part");
  expect(current([sequence, old], null)).toBe("seq");
  expect(current([empty, old], null)).toBe("old");
  expect(current([], null)).toBeNull();
  expect(current([part, old], "old")).toBe("old");
  expect(current([part, aListed({ id: "b", session: "fl02" })], null, "fl02")).toBe("b");
});

test("acts go to the session of the run that is shown, else to one that lives", () => {
  const dead = aSession({ name: "fl00", alive: false });
  const sessions = { fl00: dead, fl01: aSession(), fl02: aSession({ name: "fl02" }) };
  const state = anApp({ sessions, runs: [aListed({ id: "a", session: "fl02" })] }).state.get();
  expect(shownSession(state, { run: "a", session: null })?.name).toBe("fl02");
  expect(shownSession(state, { run: null, session: null })?.name).toBe("fl02");
  expect(shownSession(state, { run: null, session: "fl01" })?.name).toBe("fl01");
  expect(shownSession(state, { run: "elsewhere", session: null })?.name).toBe("fl01");
  expect(shownSession({ ...state, sessions: {} }, { run: null, session: null })).toBeNull();
  expect(shownSession({ ...state, sessions: { fl00: dead } }, { run: null, session: null })?.alive).toBe(
    false,
  );
});

test("runs are listed once each, newest first, and the newer word counts", () => {
  const found = merge(
    [aListed({ id: "a", npoints: 9 })],
    [aListed({ id: "a" }), aListed({ id: "b", start: 2e9 })],
  );
  expect(found.map((run) => [run.id, run.npoints])).toEqual([
    ["b", 41],
    ["a", 9],
  ]);
});

test("another server, or one that was away, is asked for the runs again; the view stays", async () => {
  const asked = answers({ runs: [], more: false });
  const app = anApp({}, "?log=1&run=a");
  const hello = {
    ev: "hello" as const,
    server: "s1",
    time: 0,
    me: { ...(app.state.get().me as never as object) },
  };
  const hear = (app as unknown as { hear: (event: object) => void }).hear.bind(app);
  hear(hello);
  expect(asked).toHaveLength(0);
  hear({ ...hello, server: "s2" });
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  expect(asked[0]?.path).toContain("api/runs");
  expect(app.view.get()).toMatchObject({ log: true, run: "a" });
});
