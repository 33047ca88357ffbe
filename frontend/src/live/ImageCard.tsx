import { useMemo, useState } from "react";
import { useApp, useAppState, useView } from "../app/context";
import type { Kind } from "../client/line";
import type { Channel, RunDetail } from "../client/types";
import type { Box } from "../plots/box";
import { COLOUR_MAPS } from "../plots/colours";
import type { Line, RegionHands, Tool } from "../plots/gestures";
import { Image, type Shown } from "../plots/Image";
import { alike } from "../plots/region";
import { autoLevels, type Scale } from "../plots/scale";
import { Card } from "./Card";
import { Levels } from "./Levels";
import { Profile } from "./Profile";
import { RegionTable, useStatistics } from "./RegionTable";
import { free, type Regions, regionsOf, useRegions } from "./regions";
import { useFrame } from "./useFrame";

/** Frames of one channel: the newest as they come, or the one that is chosen. */
export function ImageCard({
  run,
  channel,
  stack = false,
}: {
  run: RunDetail;
  channel: Channel;
  stack?: boolean;
}) {
  const app = useApp();
  const view = useView((v) => v);
  const frozen = useAppState((s) => s.frozen);
  const large = view.channel === channel.name && (view.plot === "image" || view.plot === "waterfall");
  const [px, setPx] = useState<[number, number]>([0, 0]);
  const [small, setSmall] = useState<Box | null>(null);
  const [tool, setTool] = useState<Tool>("pan");
  const [reduce, setReduce] = useState<"max" | "mean">("max");
  const [slice, setSlice] = useState<number | null>(null);
  const [axis, setAxis] = useState(0);
  const [line, setLine] = useState<Line | null>(null);
  const [kind, setKind] = useState<Kind | null>(null);
  const [renaming, setRenaming] = useState<string | null>(null);
  const box = large ? view.box : small;
  const { frame, lost, problem, drawn } = useFrame(
    {
      run: run.id,
      channel: channel.name,
      index: stack ? null : view.index,
      box,
      px,
      stack,
      reduce,
      slice,
      axis,
      kind,
      levels: view.levels,
      auto: view.auto,
      scale: view.scale,
    },
    frozen,
  );
  const header = frame?.header;
  const full: Box = [0, 0, header?.full[1] ?? 1, header?.full[0] ?? 1];
  const levels = view.levels ?? (header ? autoLevels(header.quantiles, view.auto ?? undefined) : [0, 1]);
  const shown = useMemo<Shown | null>(
    () =>
      frame === null
        ? null
        : {
            data: frame.data,
            width: frame.width,
            height: frame.height,
            view: frame.header.view,
            bin: frame.header.bin[0],
            fill: frame.grey === null ? frame.header.top : null,
            filled: filledBy(frame.header),
            grey: frame.grey,
          },
    [frame],
  );
  const editor = useRegions(run, channel);
  const { regions, fixed } = useMemo(
    () =>
      stack ? { regions: {}, fixed: [] } : merged(regionsOf(run, channel), editor.state.now, editor.operate),
    [stack, run, channel, editor.state.now, editor.operate],
  );
  const statistics = useStatistics(run, channel, header?.index ?? null, regions);
  const hands = useMemo<RegionHands | null>(
    () =>
      editor.operate && !stack
        ? {
            choose: editor.choose,
            draft: editor.draft,
            nudge: editor.nudge,
            change: (name, region) => editor.change({ [name]: region }, name),
            remove: (name) => editor.change({ [name]: null }),
            rename: setRenaming,
            undo: editor.undo,
            redo: editor.redo,
          }
        : null,
    [editor, stack],
  );
  const count = Math.max(channel.count, header?.count ?? 0);
  const index = view.index ?? header?.index ?? 0;
  const notes = [
    stack ? `${count} spectra` : `frame ${header ? header.index + 1 : 0} of ${count}`,
    lost > 0 ? `${lost} not shown (all are kept)` : "",
    frame && frame.kind !== "native" ? CODED[frame.kind] : "",
    frame && shown && shown.fill !== null && !header?.missing && frame.data.includes(shown.fill as never)
      ? shown.filled === "saturated"
        ? "pink pixels are saturated"
        : "striped pixels are masked or missing"
      : "",
    header?.missing ? "this frame was lost by the camera" : "",
  ];
  return (
    <Card
      title={stack ? `${channel.name}, all` : channel.name}
      plot={{ kind: stack ? "waterfall" : "image", channel: channel.name }}
      problem={problem}
      note={notes.filter(Boolean).join(", ")}
      tools={
        <span className="tools">
          <select
            aria-label="Scale"
            value={view.scale}
            onChange={(event) => app.view.go({ scale: event.target.value as Scale }, true)}
          >
            <option value="linear">linear</option>
            <option value="log">log</option>
            <option value="gamma">gamma</option>
          </select>
          <select
            aria-label="Colours"
            value={view.colours}
            onChange={(event) => app.view.go({ colours: event.target.value }, true)}
          >
            {COLOUR_MAPS.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
          {!stack && (
            <select aria-label="Mouse" value={tool} onChange={(event) => setTool(event.target.value as Tool)}>
              <option value="pan">move</option>
              <option value="rectangle">region</option>
              <option value="arc">ring or arc</option>
              <option value="line">profile</option>
            </select>
          )}
          {large && (
            <select
              aria-label="Values"
              value={kind ?? ""}
              onChange={(event) => setKind((event.target.value || null) as Kind | null)}
            >
              <option value="">values as the line allows</option>
              <option value="native">true values</option>
              <option value="u8">grey levels</option>
              <option value="jpeg">JPEG</option>
            </select>
          )}
          <select
            aria-label="Binning"
            value={reduce}
            onChange={(e) => setReduce(e.target.value as "max" | "mean")}
          >
            <option value="max">max</option>
            <option value="mean">mean</option>
          </select>
        </span>
      }
    >
      <div className="image-side">
        <Image
          label={`${channel.name}, frame ${index}`}
          shown={shown}
          full={full}
          box={box}
          onBox={(next) => (large ? app.view.go({ box: next }, true) : setSmall(next))}
          onSize={(width, height) =>
            setPx((now) => (now[0] === width && now[1] === height ? now : [width, height]))
          }
          levels={levels}
          scale={view.scale}
          colours={view.colours}
          unit={channel.unit}
          index={header?.index ?? -1}
          square={!stack}
          tool={tool}
          reduce={reduce}
          regions={regions}
          fixed={fixed}
          chosen={editor.state.chosen}
          hands={hands}
          line={line}
          onDraw={(region) => {
            app.state.set({
              region: {
                run: run.id,
                channel: channel.name,
                camera: editor.camera ?? (channel.source || channel.name),
                name: free(regions),
                region,
                taken: Object.keys(editor.state.now),
                add: editor.add,
              },
            });
            setTool("pan");
          }}
          onLine={setLine}
          onDrawn={drawn}
        />
        {large && header && shown ? (
          <Levels header={header} shown={shown} levels={levels} unit={channel.unit} />
        ) : null}
        {line !== null && header ? (
          <Profile
            run={run.id}
            channel={channel}
            index={header.index}
            line={line}
            onClose={() => setLine(null)}
          />
        ) : null}
      </div>
      {Object.keys(regions).length > 0 && (
        <RegionTable
          regions={regions}
          fixed={fixed}
          statistics={statistics}
          editor={editor}
          renaming={renaming}
          onRename={setRenaming}
        />
      )}
      {!stack && count > 1 ? (
        <label className="scrub">
          <span>Frame</span>
          <input
            type="range"
            min={0}
            max={count - 1}
            value={Math.min(index, count - 1)}
            onChange={(event) => app.view.go({ index: Number(event.target.value) }, true)}
          />
          <button
            type="button"
            disabled={view.index === null}
            onClick={() => app.view.go({ index: null }, true)}
          >
            newest
          </button>
        </label>
      ) : null}
      {header?.planes ? (
        <div className="planes">
          <label>
            across{" "}
            <select
              value={axis}
              onChange={(event) => {
                setAxis(Number(event.target.value));
                setSlice(null);
              }}
            >
              {header.planes.map((size, k) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: dimensions have no names
                <option key={k} value={k}>
                  dimension {k + 1} ({size})
                </option>
              ))}
            </select>
          </label>
          <label className="scrub">
            <span>Slice</span>
            <input
              type="range"
              min={0}
              max={(header.planes[axis] ?? 1) - 1}
              value={slice ?? Math.floor((header.planes[axis] ?? 1) / 2)}
              onChange={(event) => setSlice(Number(event.target.value))}
            />
            <output>
              {(frame?.slice ?? 0) + 1} of {header.planes[axis]}
            </output>
          </label>
        </div>
      ) : null}
    </Card>
  );
}

const CODED = {
  native: "",
  u8: "as 256 grey levels, not true values",
  jpeg: "as JPEG, not true values",
};

/** What the largest number stands for: counting detectors (32 bits) mask with it, cameras are saturated. */
function filledBy(header: { missing: boolean; dtype: string }): NonNullable<Shown["filled"]> {
  if (header.missing) return "missing";
  return Number(header.dtype.slice(1)) > 2 ? "masked or missing" : "saturated";
}

/** The regions of the camera, and those in which this run counted, where they are others. */
function merged(ofRun: Regions, now: Regions, operate: boolean): { regions: Regions; fixed: string[] } {
  const regions = { ...now };
  const fixed = operate ? [] : Object.keys(now);
  for (const [name, region] of Object.entries(ofRun)) {
    const current = now[name];
    if (current !== undefined && alike(current, region)) continue;
    const own = current === undefined ? name : `${name} before`;
    regions[own] = region;
    fixed.push(own);
  }
  return { regions, fixed };
}
