/** The regions in which a camera counts: edited here, kept by the session, undone and done again. */

import { useCallback, useEffect, useMemo, useReducer, useRef, useState } from "react";
import { mayOperate, useApp, useAppState, useSessionPart } from "../app/context";
import type { Channel, Region, RunDetail } from "../client/types";
import { alike } from "../plots/region";

export type Regions = Record<string, Region>;
/** What changes: regions by name, null takes one out. */
export type Change = Record<string, Region | null>;

export interface Editing {
  now: Regions;
  past: { undo: Change; redo: Change }[];
  future: { undo: Change; redo: Change }[];
  chosen: string | null;
}

export type Act =
  | { act: "told"; regions: Regions }
  | { act: "change"; change: Change; chosen?: string | null }
  /** While something is dragged: seen, but not yet meant. */
  | { act: "draft"; name: string; region: Region }
  /** It was refused: there is nothing to undo. */
  | { act: "refused"; change: Change }
  | { act: "undo" }
  | { act: "redo" }
  | { act: "choose"; name: string | null };

export const NONE: Editing = { now: {}, past: [], future: [], chosen: null };
const DEEP = 100;
const REST = 400; // ms without a key after which a region stays where it is

export function applied(regions: Regions, change: Change): Regions {
  const next = { ...regions };
  for (const [name, region] of Object.entries(change)) {
    if (region === null) delete next[name];
    else next[name] = region;
  }
  return next;
}

/** What undoes a change. */
export function inverse(before: Regions, change: Change): Change {
  return Object.fromEntries(Object.keys(change).map((name) => [name, before[name] ?? null]));
}

export function edit(state: Editing, act: Act): Editing {
  switch (act.act) {
    case "told": {
      const chosen = state.chosen !== null && act.regions[state.chosen] ? state.chosen : null;
      return { ...state, now: act.regions, chosen };
    }
    case "draft":
      return { ...state, now: { ...state.now, [act.name]: act.region }, chosen: act.name };
    case "change": {
      const now = applied(state.now, act.change);
      const chosen = act.chosen === undefined ? state.chosen : act.chosen;
      return { ...state, now, chosen: chosen !== null && now[chosen] ? chosen : null };
    }
    case "refused":
      return {
        ...state,
        past: state.past.filter((step) => step.redo !== act.change),
        future: state.future.filter((step) => step.undo !== act.change),
      };
    case "undo": {
      const last = state.past.at(-1);
      if (last === undefined) return state;
      const now = applied(state.now, last.undo);
      return {
        now,
        past: state.past.slice(0, -1),
        future: [...state.future, last],
        chosen: Object.keys(last.undo).find((name) => now[name]) ?? null,
      };
    }
    case "redo": {
      const next = state.future.at(-1);
      if (next === undefined) return state;
      const now = applied(state.now, next.redo);
      return {
        now,
        past: [...state.past, next],
        future: state.future.slice(0, -1),
        chosen: Object.keys(next.redo).find((name) => now[name]) ?? null,
      };
    }
    case "choose":
      return { ...state, chosen: act.name };
  }
}

/** A change that was meant, with what was there before it: it can be undone. */
export function meant(state: Editing, before: Regions, change: Change, chosen?: string | null): Editing {
  const next = edit(
    state,
    chosen === undefined ? { act: "change", change } : { act: "change", change, chosen },
  );
  const step = { undo: inverse(before, change), redo: change };
  return { ...next, past: [...state.past, step].slice(-DEEP), future: [] };
}

/** roi1, roi2 …: the first that is free. */
export function free(regions: Regions): string {
  let k = 1;
  while (regions[`roi${k}`]) k += 1;
  return `roi${k}`;
}

export const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,39}$/;

/** Regions that a run counted in, as its channels tell. */
export function regionsOf(run: RunDetail, channel: Channel): Regions {
  const found: Regions = {};
  for (const other of Object.values(run.channels)) {
    const selection = other.info.selection as Region | undefined;
    if (!other.name.startsWith(`${channel.name}:`)) continue;
    if (selection?.kind !== "rectangle" && selection?.kind !== "arc") continue;
    const name = other.name
      .slice(channel.name.length + 1)
      .replace(/_(sum|mean|std|min|max|horizontal|vertical)$/, "");
    found[name] = selection;
  }
  return found;
}

type Move = Act | { act: "meant"; before: Regions; change: Change; chosen?: string | null };

function reduce(state: Editing, move: Move): Editing {
  return move.act === "meant" ? meant(state, move.before, move.change, move.chosen) : edit(state, move);
}

export interface Editor {
  /** Whether the camera of this channel is there, and may be changed. */
  camera: string | null;
  operate: boolean;
  state: Editing;
  /** What the shell would say for the last change. */
  command: string;
  choose: (name: string | null) => void;
  draft: (name: string, region: Region) => void;
  change: (change: Change, chosen?: string | null) => void;
  /** By keys, one after the other: meant once they rest. */
  nudge: (name: string, region: Region) => void;
  /** A new one, from a dialog that waits for the answer: the command that does the same. */
  add: (name: string, region: Region) => Promise<string>;
  undo: () => void;
  redo: () => void;
}

/** The regions of the camera behind a channel. Changes are sent one after the other; what is refused is taken back. */
export function useRegions(run: RunDetail, channel: Channel): Editor {
  const app = useApp();
  const name = channel.source || channel.name;
  const camera = useSessionPart((s) => (s?.alive && s.cameras.includes(name) ? name : null));
  const at = useSessionPart((s) => s?.name ?? "");
  const operate = useAppState(mayOperate);
  const [state, dispatch] = useReducer(reduce, NONE);
  // What the session has, as far as is known: drafts are measured against it.
  const kept = useRef<Regions>({});
  const queue = useRef<Promise<void>>(Promise.resolve());
  const waiting = useRef(0);
  const latest = useRef(state);
  latest.current = state;
  const [command, setCommand] = useState("");
  const resting = useRef<{ timer: ReturnType<typeof setTimeout>; change: Change } | null>(null);
  const take = useCallback((regions: Regions) => {
    kept.current = regions;
    dispatch({ act: "told", regions });
  }, []);

  const look = useCallback(async () => {
    if (camera === null) return;
    const found = await app.api.regionsOf(at, camera);
    if (waiting.current === 0 && resting.current === null) take(found);
  }, [app, at, camera, take]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: others may have changed them when a run begins, or the page
  useEffect(() => {
    if (camera === null) take({});
    else void look().catch(() => {}); // an old server, or a session that ends: there are none to edit
  }, [camera, look, take, run.id, run.state]);

  const send = useCallback(
    (change: Change) => {
      if (camera === null) return;
      waiting.current += 1;
      queue.current = queue.current.then(async () => {
        try {
          setCommand((await app.api.regions(at, camera, change)).command);
        } catch (error) {
          app.tell(error);
          dispatch({ act: "refused", change });
        } finally {
          waiting.current -= 1;
          await look().catch(() => {});
        }
      });
    },
    [app, at, camera, look],
  );

  const step = useCallback(
    (where: "past" | "future") => {
      const last = latest.current[where].at(-1);
      if (last === undefined) return;
      const wanted = where === "past" ? last.undo : last.redo;
      dispatch({ act: where === "past" ? "undo" : "redo" });
      kept.current = applied(kept.current, wanted);
      send(wanted);
    },
    [send],
  );

  const change = useCallback(
    (wanted: Change, chosen?: string | null) => {
      const before = kept.current;
      const same = Object.entries(wanted).every(([one, region]) => {
        const old = before[one];
        return region === null ? old === undefined : old !== undefined && alike(old, region);
      });
      if (same) return;
      dispatch({ act: "meant", before, change: wanted, ...(chosen === undefined ? {} : { chosen }) });
      kept.current = applied(before, wanted);
      send(wanted);
    },
    [send],
  );
  const settle = useCallback(() => {
    const last = resting.current;
    resting.current = null;
    if (last === null) return false;
    clearTimeout(last.timer);
    change(last.change);
    return true;
  }, [change]);
  useEffect(() => () => void settle(), [settle]);

  return useMemo<Editor>(
    () => ({
      camera,
      operate: operate && camera !== null,
      state,
      command,
      choose: (name) => dispatch({ act: "choose", name }),
      draft: (which, region) => dispatch({ act: "draft", name: which, region }),
      change: (wanted, chosen) => {
        settle();
        change(wanted, chosen);
      },
      nudge: (which, region) => {
        if (resting.current !== null && !(which in resting.current.change)) settle();
        clearTimeout(resting.current?.timer);
        dispatch({ act: "draft", name: which, region });
        resting.current = { timer: setTimeout(settle, REST), change: { [which]: region } };
      },
      add: async (which, region) => {
        if (camera === null) throw new Error("The camera is not there.");
        const before = kept.current;
        const answer = await app.api.regions(at, camera, { [which]: region });
        dispatch({ act: "meant", before, change: { [which]: region }, chosen: which });
        kept.current = applied(kept.current, { [which]: region });
        setCommand(answer.command);
        return answer.command;
      },
      undo: () => {
        // What keys did a moment ago is a step, too: it has yet to come into the state.
        if (settle()) return void setTimeout(() => step("past"), 0);
        step("past");
      },
      redo: () => {
        settle();
        step("future");
      },
    }),
    [app, at, camera, operate, state, command, change, settle, step],
  );
}
