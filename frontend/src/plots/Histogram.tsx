/** A bar of values: how many there are, which colours they have, and two levels that are dragged. */

import { type KeyboardEvent, type PointerEvent, useId, useMemo, useRef, useState } from "react";
import type { NumberArray } from "../client/payload";
import { colourTable } from "./colours";
import { BINS, barRange, barScale, histogram, shifted } from "./levels";
import { type Scale, share, value, words } from "./scale";

const STOPS = 24;
const NAMES = ["Lowest level", "Highest level"] as const;

export function Histogram(props: {
  data: NumberArray;
  fill: number | null;
  quantiles: Record<string, number | null>;
  levels: [number, number];
  scale: Scale;
  colours: string;
  unit: string;
  onLevels: (levels: [number, number]) => void;
}) {
  const { data, fill, quantiles, scale, colours } = props;
  const holder = useRef<HTMLDivElement>(null);
  // While one is dragged, only this bar knows; the bar does not stretch under the hand.
  const [draft, setDraft] = useState<{ levels: [number, number]; range: [number, number] } | null>(null);
  const levels = draft?.levels ?? props.levels;
  const range = draft?.range ?? barRange(quantiles, props.levels);
  const [from, to] = range;
  const bar = barScale(scale, quantiles);
  const heights = useMemo(() => histogram(data, fill, [from, to], bar), [data, fill, from, to, bar]);
  const outline = useMemo(() => {
    const steps = [...heights].map((height, k) => {
      const x = (100 - 96 * height).toFixed(1);
      return `L${x} ${BINS - k}L${x} ${BINS - k - 1}`;
    });
    return `M100 ${BINS}${steps.join("")}L100 0Z`;
  }, [heights]);
  const ends = levels.map((level) => share(level, from, to, bar));
  const gradient = useId();

  const at = (event: PointerEvent) => {
    const rim = holder.current?.getBoundingClientRect();
    return rim === undefined || rim.height === 0 ? 0 : (rim.bottom - event.clientY) / rim.height;
  };
  const key = (which: 0 | 1) => (event: KeyboardEvent) => {
    const by = {
      ArrowUp: 0.01,
      ArrowRight: 0.01,
      ArrowDown: -0.01,
      ArrowLeft: -0.01,
      PageUp: 0.1,
      PageDown: -0.1,
    }[event.key];
    const end = { Home: 0, End: 1 }[event.key];
    if (by === undefined && end === undefined) return;
    event.preventDefault();
    props.onLevels(shifted(levels, which, end ?? (ends[which] ?? 0) + (by ?? 0), range, bar));
  };

  return (
    <div className="histogram" ref={holder} data-range={range.map((v) => words(v, 6)).join(",")}>
      <svg viewBox={`0 0 100 ${BINS}`} preserveAspectRatio="none" aria-hidden="true">
        <defs>
          <linearGradient id={gradient} x1="0" y1="1" x2="0" y2="0">
            {Array.from({ length: STOPS + 1 }, (_, k) => {
              const place = k / STOPS;
              return (
                <stop
                  key={place}
                  offset={place}
                  stopColor={colourAt(colours, place, levels, range, scale, bar)}
                />
              );
            })}
          </linearGradient>
        </defs>
        <rect x="0" y="0" width="100" height={BINS} fill={`url(#${gradient})`} opacity="0.35" />
        <path d={outline} fill={`url(#${gradient})`} stroke="currentColor" strokeWidth="0.5" />
      </svg>
      {([0, 1] as const).map((which) => (
        <div
          key={which}
          className="level"
          role="slider"
          tabIndex={0}
          aria-label={NAMES[which]}
          aria-orientation="vertical"
          aria-valuemin={from}
          aria-valuemax={to}
          aria-valuenow={levels[which]}
          aria-valuetext={`${words(levels[which])} ${props.unit}`}
          style={{ bottom: `${100 * (ends[which] ?? 0)}%` }}
          onKeyDown={key(which)}
          onPointerDown={(event) => {
            if (event.button !== 0) return;
            event.currentTarget.setPointerCapture?.(event.pointerId);
            setDraft({ levels, range });
          }}
          onPointerMove={(event) => {
            if (draft === null) return;
            const next = shifted(draft.levels, which, at(event), range, bar);
            setDraft({ levels: next, range });
            props.onLevels(next);
          }}
          onPointerUp={() => setDraft(null)}
          onPointerCancel={() => setDraft(null)}
        >
          <span>{words(levels[which], 4)}</span>
        </div>
      ))}
    </div>
  );
}

/** The colour that a value has in the image, by where it is on the bar. */
function colourAt(
  colours: string,
  place: number,
  levels: readonly [number, number],
  range: readonly [number, number],
  scale: Scale,
  bar: Scale,
): string {
  const table = tableOf(colours);
  const here = value(place, range[0], range[1], bar);
  const at = 4 * Math.round(255 * share(here, levels[0], levels[1], scale));
  return `rgb(${table[at]},${table[at + 1]},${table[at + 2]})`;
}

const tables = new Map<string, Uint8Array>();

function tableOf(name: string): Uint8Array {
  const known = tables.get(name) ?? colourTable(name);
  tables.set(name, known);
  return known;
}
