/** What was chosen for a kind of scan comes back with the next one of its kind. */

import { useEffect, useRef } from "react";
import { useApp, useView } from "../app/context";
import { START, type View } from "../app/view";

const FIELDS = [
  "plot",
  "channel",
  "x",
  "y",
  "right",
  "log",
  "derivative",
  "monitor",
  "colours",
  "scale",
] as const;
export type Layout = Pick<View, (typeof FIELDS)[number]>;

export function pick(view: View): Layout {
  return Object.fromEntries(FIELDS.map((field) => [field, view[field]])) as unknown as Layout;
}

const PLAIN = pick(START);
export const isPlain = (layout: Layout) => JSON.stringify(layout) === JSON.stringify(PLAIN);

/** What was kept for a kind of scan; what does not fit any more is as if it had not been kept. */
export function load(kind: string, store: Pick<Storage, "getItem"> = localStorage): Layout {
  try {
    const kept = JSON.parse(store.getItem(`layout ${kind}`) ?? "{}") as Partial<Layout>;
    const found = { ...PLAIN, ...kept };
    const known = FIELDS.every((field) => {
      const [a, b] = [found[field], PLAIN[field]];
      return b === null
        ? a === null || typeof a === "string"
        : typeof a === typeof b && Array.isArray(a) === Array.isArray(b);
    });
    return known ? pick({ ...START, ...found }) : PLAIN;
  } catch {
    return PLAIN;
  }
}

export function save(
  kind: string,
  layout: Layout,
  store: Pick<Storage, "setItem" | "removeItem"> = localStorage,
) {
  try {
    if (isPlain(layout)) store.removeItem(`layout ${kind}`);
    else store.setItem(`layout ${kind}`, JSON.stringify(layout));
  } catch {
    // A browser that keeps nothing forgets this, too.
  }
}

/** Follows the kind of the run that is shown; an address that says something itself counts more. */
export function useLayout(kind: string | null) {
  const app = useApp();
  const view = useView((v) => v);
  const last = useRef<string | null>(null);
  useEffect(() => {
    if (kind === null) return;
    const now = pick(app.view.get());
    if (last.current !== kind && (last.current !== null || isPlain(now))) app.view.go(load(kind), true);
    last.current = kind;
  }, [app, kind]);
  useEffect(() => {
    if (kind !== null && last.current === kind) save(kind, pick(view));
  }, [kind, view]);
}
