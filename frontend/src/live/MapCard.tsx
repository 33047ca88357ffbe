import { useEffect, useMemo, useRef, useState } from "react";
import { useApp, useAppState, useSession, useView } from "../app/context";
import type { MapAxis, RunDetail } from "../client/types";
import type { Box } from "../plots/box";
import { colourTable } from "../plots/colours";
import { Image, type Shown } from "../plots/Image";
import { share, ticks, words } from "../plots/scale";
import { useInk, useSize } from "../plots/size";
import { Card } from "./Card";
import { counters, defaultY } from "./choose";
import { type MapData, useMap } from "./useMap";

/** Middle of a cell to its position: cell k has its middle at k + 1/2. */
const along = (axis: MapAxis) => (pixel: number) =>
  axis.n > 1 ? axis.start + ((pixel - 0.5) / (axis.n - 1)) * (axis.stop - axis.start) : axis.start;

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
  const { map, problem, drawn } = useMap(run.id, z, view.monitor, frozen);
  const [box, setBox] = useState<Box | null>(null);
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
      title={z === null ? title : `${z} over ${run.axes.slice(-2).join(", ")}`}
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
        <Scattered map={map} onPick={pick} onDrawn={drawn} />
      )}
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
function Scattered({ map, onPick, onDrawn }: Drawn) {
  const view = useView((v) => v);
  const holder = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, height] = useSize(holder);
  const ink = useInk();
  const margin = 44;
  const span = (axis: MapAxis): [number, number] => {
    const size = Math.max(Math.abs(axis.stop - axis.start), 1e-12) * 0.03;
    return [Math.min(axis.start, axis.stop) - size, Math.max(axis.start, axis.stop) + size];
  };
  const [x0, x1] = span(map.header.x);
  const [y0, y1] = span(map.header.y);
  const toX = (x: number) => margin + ((x - x0) / (x1 - x0)) * (width - margin - 8);
  const toY = (y: number) => height - 24 - ((y - y0) / (y1 - y0)) * (height - 32);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    const { x, y, z } = map;
    if (!context || !canvas.current || width === 0 || !x || !y || !z) return;
    const ratio = window.devicePixelRatio || 1;
    canvas.current.width = width * ratio;
    canvas.current.height = height * ratio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const [low, high] = view.levels ?? map.header.range ?? [0, 1];
    const table = colourTable(view.colours);
    const size = Math.max(3, Math.min(18, Math.sqrt((width * height) / Math.max(1, x.length)) * 0.7));
    for (let k = 0; k < x.length; k += 1) {
      const at = 4 * Math.round(255 * share(z[k] ?? Number.NaN, low, high, view.scale));
      context.fillStyle = Number.isFinite(z[k])
        ? `rgb(${table[at]},${table[at + 1]},${table[at + 2]})`
        : ink.line;
      context.fillRect(toX(x[k] ?? 0) - size / 2, toY(y[k] ?? 0) - size / 2, size, size);
    }
    context.fillStyle = ink.text;
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "center";
    for (const tick of ticks(x0, x1, width / 90)) context.fillText(words(tick), toX(tick), height - 6);
    context.textAlign = "right";
    for (const tick of ticks(y0, y1, height / 60)) context.fillText(words(tick), margin - 4, toY(tick) + 4);
    canvas.current.dataset.frame = String(map.header.count);
    canvas.current.dataset.state = "drawn";
    onDrawn();
  });
  return (
    <div className="image-canvas" ref={holder}>
      <canvas
        ref={canvas}
        role="img"
        aria-label={`Map of ${map.header.z?.name ?? ""}, ${map.header.count} points`}
        onClick={(event) => {
          const place = event.currentTarget.getBoundingClientRect();
          const x = x0 + ((event.clientX - place.left - margin) / (width - margin - 8)) * (x1 - x0);
          const y = y0 + ((place.bottom - 24 - event.clientY) / (height - 32)) * (y1 - y0);
          onPick(x, y);
        }}
      />
    </div>
  );
}
