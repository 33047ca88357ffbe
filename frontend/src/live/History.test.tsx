import { cleanup, fireEvent, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { anApp, answers, show } from "../show";
import { aListed } from "../testing";
import { grouped, History } from "./History";

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

test("runs stand under their dataset, and what was not saved where it was done", () => {
  const runs = [
    aListed({ id: "c", dataset: "b" }),
    aListed({ id: "ct", proposal: "", sample: "", dataset: "" }),
    aListed({ id: "b", dataset: "b" }),
    aListed({ id: "a", dataset: "a" }),
  ];
  expect(grouped(runs).map(([where, of]) => [where, of.map((run) => run.id)])).toEqual([
    ["hc1234 / tooth / b", ["c", "ct", "b"]],
    ["hc1234 / tooth / a", ["a"]],
  ]);
});

test("the parts of a sequence are folded into it, and unfolded where one of them is shown", () => {
  const runs = [
    aListed({ id: "p1", title: "dark images", parent: "seq" }),
    aListed({ id: "seq", title: "tomo rot 0 180" }),
  ];
  const app = anApp({ runs });
  const { unmount } = show(app, <History chosen="seq" />);
  expect(screen.queryByText(/dark images/)).toBeNull();
  fireEvent.click(screen.getByRole("button", { name: "1 parts" }));
  expect(screen.getByText(/dark images/)).toBeTruthy();
  unmount();
  show(app, <History chosen="p1" />);
  expect(screen.getByText(/dark images/)).toBeTruthy();
});

test("a click shows a run, and vs draws another one behind it; both are in the address", () => {
  const runs = [aListed({ id: "new", title: "ascan b" }), aListed({ id: "old", title: "ascan a" })];
  const app = anApp({ runs });
  show(app, <History chosen="new" />);
  fireEvent.click(screen.getByRole("button", { name: "Compare with ascan a" }));
  expect(window.location.search).toBe("?over=old");
  fireEvent.click(screen.getByRole("button", { name: "Compare with ascan a" }));
  expect(window.location.search).toBe("");
  fireEvent.click(screen.getByText(/ascan a$/));
  expect(window.location.search).toBe("?run=old");
});

test("how a run ended is said in words, not by colour alone", () => {
  const end = { reason: "USER_ABORT", message: "", epoch: 0 };
  show(
    anApp({ runs: [aListed({ end }), aListed({ id: "r2", end: { ...end, reason: "FAILURE" } })] }),
    <History chosen={null} />,
  );
  expect(screen.getByText(/stopped/)).toBeTruthy();
  expect(screen.getByText(/failed/)).toBeTruthy();
});

test("words find runs, an empty search shows all again, and nothing found says what to do", async () => {
  const asked = answers({ runs: [], more: false });
  show(anApp({ runs: [aListed()] }), <History chosen={null} />);
  const box = screen.getByRole("searchbox");
  fireEvent.change(box, { target: { value: "sample:bone" } });
  fireEvent.keyDown(box, { key: "Enter" });
  expect(await screen.findByText(/Nothing fits. Clear the search/)).toBeTruthy();
  expect(decodeURIComponent(asked[0]?.path ?? "")).toContain("text=sample:bone");
  fireEvent.change(box, { target: { value: "" } });
  await vi.waitFor(() => expect(asked).toHaveLength(2));
  expect(asked[1]?.path).not.toContain("bone");
});
