import { useEffect, useMemo, useState } from "react";
import { useApp, useAppState, useSession, useView } from "../app/context";
import type { MapAxis, RunDetail } from "../client/types";
import type { Box } from "../plots/box";
import { Image, type Shown } from "../plots/Image";
import { boxOf, fromUnits, type Points, rim, SIDE, SQUARE, seenOf } from "../plots/points";
import { words } from "../plots/scale";
import { Card } from "./Card";
import { counters, defaultY, planesOf } from "./choose";
import { type MapData, useMap } from "./useMap";

/** Middle of a cell to its position: cell k has its middle at k + 1/2. */
const along = (axis: MapAxis) => (pixel: number) =>
  axis.n > 1 ? axis.start + ((pixel - 0.5) / (axis.n - 1)) * (axis.stop - axis.start) : axis.start;

const NONE = new Float32Array();

/** A counter over two axes, growing. */
export function MapCard({ run, title }: { run: RunDetail; title: string }) {
  const app = useApp();
  const view = useView((v) => v);
  const frozen = useAppState((s) => s.frozen);
  const session = useSession();
  const all = counters(run);
  const z =
    (view.plot === "map" && view.y[0] && all.includes(view.y[0]) ? view.y[0] : null) ??
    view.y.find((n) => all.includes(n)) ??
    defaultY(run)[0] ??
    null;
  const known = (name: string | null) => (name !== null && run.axes.includes(name) ? name : null);
  const [across, up] = [known(view.across), known(view.up)];
  const { map, problem, drawn } = useMap(
    z === null
      ? null
      : {
          what: "map",
          run: run.id,
          z,
          x: across,
          y: up,
          at: planesOf(run, across, up, view.at),
          norm: view.monitor,
          rate: 8,
        },
    frozen,
  );
  const [box, setBox] = useState<Box | null>(null);
  const [seen, setSeen] = useState<Box | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a part of one map says nothing about another
  useEffect(() => {
    setBox(null);
    setSeen(null);
  }, [across, up]);
  const pick = (x: number, y: number) => {
    if (map === null || !session?.alive) return;
    const names = [map.header.x.name, map.header.y.name];
    if (!names.every((name) => session.axes[name])) return;
    app.state.set({
      asked: { session: session.name, axis: names[0] ?? "", to: x, also: { axis: names[1] ?? "", to: y } },
    });
  };
  return (
    <Card
      title={
        z === null
          ? title
          : `${z} over ${map ? `${map.header.y.name}, ${map.header.x.name}` : run.axes.slice(-2).join(", ")}`
      }
      plot={{ kind: "map", channel: null }}
      problem={problem}
      note={map === null ? "" : `${map.header.count} points${map.header.binned ? ", binned" : ""}`}
      tools={
        <span className="tools">
          <select
            aria-label="Counter of the map"
            value={z ?? ""}
            onChange={(event) => app.view.go({ y: [event.target.value] }, true)}
          >
            {all.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </span>
      }
    >
      {map === null ? (
        <p className="empty">The first point has not come yet.</p>
      ) : map.image !== null ? (
        <Regular map={map} box={box} onBox={setBox} onPick={pick} onDrawn={drawn} />
      ) : (
        <Scattered map={map} seen={seen} onSeen={setSeen} onPick={pick} onDrawn={drawn} />
      )}
      {map !== null && <Planes run={run} map={map} />}
    </Card>
  );
}

interface Drawn {
  map: MapData;
  onPick: (x: number, y: number) => void;
  onDrawn: () => void;
}

function Regular({
  map,
  box,
  onBox,
  onPick,
  onDrawn,
}: Drawn & { box: Box | null; onBox: (box: Box | null) => void }) {
  const view = useView((v) => v);
  const { header } = map;
  const full: Box = [0, 0, header.x.n, header.y.n];
  const shown = useMemo<Shown>(
    () => ({
      data: map.image ?? new Float32Array(),
      width: header.x.n,
      height: header.y.n,
      view: [0, 0, header.x.n, header.y.n],
      bin: 1,
      fill: null,
    }),
    [map, header],
  );
  const x = along(header.x);
  // Positions grow upwards whichever way the axis was scanned.
  const y = along(header.y);
  const [low, high] = header.range ?? [0, 1];
  return (
    <Image
      label={`Map of ${header.z?.name ?? ""}`}
      shown={shown}
      full={full}
      box={box}
      onBox={onBox}
      levels={view.levels ?? (high > low ? [low, high] : [low, low + 1])}
      scale={view.scale}
      colours={view.colours}
      unit={header.z?.unit ?? ""}
      index={header.count}
      square={false}
      flip={header.y.stop >= header.y.start}
      x={x}
      y={y}
      names={[header.x.name, header.y.name]}
      onPick={(px, py) => onPick(x(Math.floor(px) + 0.5), y(Math.floor(py) + 0.5))}
      onDrawn={onDrawn}
    />
  );
}

/** Points where they were measured. */
function Scattered({
  map,
  seen,
  onSeen,
  onPick,
  onDrawn,
}: Drawn & { seen: Box | null; onSeen: (seen: Box | null) => void }) {
  const view = useView((v) => v);
  const { header, x, y, z } = map;
  const points = useMemo<Points>(
    () => ({
      x: x ?? NONE,
      y: y ?? NONE,
      z: z ?? NONE,
      rim: [...rim(header.x.start, header.x.stop), ...rim(header.y.start, header.y.stop)],
    }),
    [x, y, z, header],
  );
  const [low, high] = header.range ?? [0, 1];
  return (
    <Image
      label={`Map of ${header.z?.name ?? ""}, ${header.count} points`}
      shown={null}
      points={points}
      full={SQUARE}
      box={seen === null ? null : boxOf(points, seen)}
      onBox={(box) => onSeen(box === null ? null : seenOf(points, box))}
      levels={view.levels ?? (high > low ? [low, high] : [low, low + 1])}
      scale={view.scale}
      colours={view.colours}
      unit={header.z?.unit ?? ""}
      index={header.count}
      square={false}
      flip
      x={(u) => fromUnits(points, u, 0)[0]}
      y={(v) => fromUnits(points, 0, SIDE - v)[1]}
      names={[header.x.name, header.y.name]}
      onPick={(u, v) => onPick(...fromUnits(points, u, SIDE - v))}
      onDrawn={onDrawn}
    />
  );
}

/** Which axes the map shows, and where the others stand. */
function Planes({ run, map }: { run: RunDetail; map: MapData }) {
  const app = useApp();
  const at = useView((v) => v.at);
  const { header } = map;
  const planes = header.planes ?? [];
  if (planes.length === 0) return null;
  const go = (change: Parameters<typeof app.view.go>[0]) => app.view.go(change, true);
  const choose = (change: { across?: string; up?: string }) => {
    const now = { across: header.x.name, up: header.y.name, ...change };
    // The axis that the other direction had is given up: the two change places.
    if (now.across === now.up) {
      if (change.across !== undefined) now.up = header.x.name;
      else now.across = header.y.name;
    }
    go({ ...now, at: null });
  };
  const select = (label: string, value: string, then: (name: string) => void) => (
    <label>
      {label}{" "}
      <select aria-label={`Axis ${label}`} value={value} onChange={(event) => then(event.target.value)}>
        {run.axes.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </label>
  );
  return (
    <div className="planes">
      {select("across", header.x.name, (across) => choose({ across }))}
      {select("up", header.y.name, (up) => choose({ up }))}
      {planes.map((plane, k) => (
        <label className="scrub" key={plane.name}>
          <span>{plane.name || `axis ${k + 1}`}</span>
          <input
            type="range"
            min={0}
            max={plane.n - 1}
            value={plane.index}
            aria-valuetext={`${words(plane.position)} ${plane.unit}`}
            onChange={(event) =>
              go({ at: planes.map((one, j) => (j === k ? Number(event.target.value) : one.index)) })
            }
          />
          <output>
            {words(plane.position)} {plane.unit}, {plane.index + 1} of {plane.n}
          </output>
        </label>
      ))}
      <button type="button" disabled={at === null} onClick={() => go({ at: null })}>
        newest
      </button>
    </div>
  );
}
