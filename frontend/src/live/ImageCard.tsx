import { useEffect, useMemo, useState } from "react";
import { mayOperate, useApp, useAppState, useSession, useView } from "../app/context";
import { part } from "../client/api";
import type { NumberArray, Payload } from "../client/payload";
import type { Channel, Rectangle, RegionStatistics, RunDetail } from "../client/types";
import type { Box } from "../plots/box";
import { Curve } from "../plots/Curve";
import { COLOUR_MAPS } from "../plots/colours";
import { Image, type Shown } from "../plots/Image";
import { autoLevels, type Scale, words } from "../plots/scale";
import { Card } from "./Card";
import { useFrame } from "./useFrame";

type Tool = "pan" | "region" | "line";

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
  const [line, setLine] = useState<[number, number, number, number] | null>(null);
  const box = large ? view.box : small;
  const { frame, lost, problem, drawn } = useFrame(
    { run: run.id, channel: channel.name, index: stack ? null : view.index, box, px, stack, reduce, slice },
    frozen,
  );
  const header = frame?.header;
  const full: Box = [0, 0, header?.full[1] ?? 1, header?.full[0] ?? 1];
  const levels = view.levels ?? (header ? autoLevels(header.quantiles) : [0, 1]);
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
            fill: frame.header.top,
          },
    [frame],
  );
  const regions = useRegions(run, channel, header?.index ?? null);
  const count = Math.max(channel.count, header?.count ?? 0);
  const index = view.index ?? header?.index ?? 0;
  const notes = [
    stack ? `${count} spectra` : `frame ${header ? header.index + 1 : 0} of ${count}`,
    lost > 0 ? `${lost} not shown (all are kept)` : "",
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
              <option value="region">region</option>
              <option value="line">profile</option>
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
          regions={Object.fromEntries(regions.map((r) => [r.name, r.region]))}
          line={line}
          onRegion={(region) => {
            app.state.set({ region: { run: run.id, channel: channel.name, region } });
            setTool("pan");
          }}
          onLine={setLine}
          onDrawn={drawn}
        />
        {large && header ? <Levels header={header} levels={levels} chosen={view.levels !== null} /> : null}
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
      {regions.length > 0 && <Regions run={run} channel={channel} regions={regions} />}
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
        <label className="scrub">
          <span>Slice</span>
          <input
            type="range"
            min={0}
            max={(header.planes[0] ?? 1) - 1}
            value={slice ?? Math.floor((header.planes[0] ?? 1) / 2)}
            onChange={(event) => setSlice(Number(event.target.value))}
          />
        </label>
      ) : null}
    </Card>
  );
}

function Levels(props: {
  header: { quantiles: Record<string, number> };
  levels: [number, number];
  chosen: boolean;
}) {
  const app = useApp();
  const [low, high] = props.levels;
  const q = props.header.quantiles;
  const set = (next: [number, number]) => app.view.go({ levels: next }, true);
  const field = (label: string, value: number, change: (to: number) => void) => (
    <label>
      {label}
      <input
        type="number"
        key={`${label}${words(value)}`}
        defaultValue={Number(value.toPrecision(6))}
        onBlur={(event) => {
          const to = Number(event.target.value);
          if (Number.isFinite(to) && Math.abs(to - value) > 1e-9 * Math.abs(value)) change(to);
        }}
      />
    </label>
  );
  return (
    <fieldset className="levels">
      <legend>Levels</legend>
      {field("low", low, (to) => set([to, Math.max(high, to)]))}
      {field("high", high, (to) => set([Math.min(low, to), to]))}
      <p className="note">
        pixels from {words(q["0"])} to {words(q["1"])}, half of them below {words(q["0.5"])}
      </p>
      <button type="button" disabled={!props.chosen} onClick={() => app.view.go({ levels: null }, true)}>
        automatic
      </button>
    </fieldset>
  );
}

interface Known {
  name: string;
  region: Rectangle;
}

/** Regions that the run counted in, as its channels tell. */
function useRegions(
  run: RunDetail,
  channel: Channel,
  index: number | null,
): (Known & { now: RegionStatistics | null })[] {
  const app = useApp();
  const [now, setNow] = useState<Record<string, RegionStatistics>>({});
  const known = useMemo(() => regionsOf(run, channel), [run, channel]);
  const key = JSON.stringify(known);
  const busy = useMemo(() => ({ now: false }), []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` stands for the regions
  useEffect(() => {
    if (index === null || known.length === 0 || busy.now) return;
    busy.now = true;
    void Promise.allSettled(
      known.map(
        async ({ name, region }) =>
          [name, await app.api.region(run.id, channel.name, index, region)] as const,
      ),
    ).then((all) => {
      busy.now = false;
      setNow(Object.fromEntries(all.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []))));
    });
  }, [app, run.id, channel.name, index, key]);
  return known.map((one) => ({ ...one, now: now[one.name] ?? null }));
}

export function regionsOf(run: RunDetail, channel: Channel): Known[] {
  const found = new Map<string, Rectangle>();
  for (const other of Object.values(run.channels)) {
    const selection = other.info.selection as (Rectangle & { kind: string }) | undefined;
    if (!other.name.startsWith(`${channel.name}:`) || selection?.kind !== "rectangle") continue;
    const name = other.name
      .slice(channel.name.length + 1)
      .replace(/_(sum|mean|std|min|max|horizontal|vertical)$/, "");
    found.set(name, {
      kind: "rectangle",
      x: selection.x,
      y: selection.y,
      width: selection.width,
      height: selection.height,
    });
  }
  return [...found].map(([name, region]) => ({ name, region }));
}

function Regions(props: {
  run: RunDetail;
  channel: Channel;
  regions: (Known & { now: RegionStatistics | null })[];
}) {
  const app = useApp();
  const session = useSession();
  const operate = useAppState(mayOperate);
  const remove = (name: string) =>
    app.attempt(async () => {
      const { command } = await app.api.regions(
        session?.name ?? "",
        props.channel.source || props.channel.name,
        {
          [name]: null,
        },
      );
      app.tell(new Error(`${command}: done, from the next scan on.`), "info");
    });
  return (
    <table className="regions">
      <caption>Regions, of all pixels of this frame</caption>
      <thead>
        <tr>
          <th scope="col">name</th>
          <th scope="col">sum</th>
          <th scope="col">mean</th>
          <th scope="col">max</th>
          <th scope="col">saturated</th>
          <td />
        </tr>
      </thead>
      <tbody>
        {props.regions.map(({ name, now }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td data-region={name}>{words(now?.sum, 7)}</td>
            <td>{words(now?.mean)}</td>
            <td>{words(now?.max)}</td>
            <td>{now?.saturated ?? "–"}</td>
            <td>
              {operate && (
                <button type="button" className="quiet" onClick={() => void remove(name)}>
                  remove
                </button>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Profile(props: {
  run: string;
  channel: Channel;
  index: number;
  line: [number, number, number, number];
  onClose: () => void;
}) {
  const app = useApp();
  const { run, channel, index, line } = props;
  const [found, setFound] = useState<{ x: NumberArray; y: NumberArray } | null>(null);
  const [range, setRange] = useState<[number, number] | null>(null);
  const key = line.join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` stands for the line
  useEffect(() => {
    const leave = new AbortController();
    const [x0, y0, x1, y1] = line;
    app.api
      .payload<object>(
        `runs/${part(run)}/profile/${part(channel.name)}/${index}`,
        { x0, y0, x1, y1 },
        leave.signal,
      )
      .then(({ arrays }: Payload<object>) => {
        if (arrays.distance && arrays.value) setFound({ x: arrays.distance, y: arrays.value });
      })
      .catch((error: unknown) => app.tell(error));
    return () => leave.abort();
  }, [app, run, channel.name, index, key]);
  if (found === null) return null;
  return (
    <section className="profile" aria-label="Profile">
      <button type="button" className="quiet" onClick={props.onClose}>
        close profile
      </button>
      <Curve
        label="Values along the line"
        lines={[{ name: "value", unit: channel.unit, x: found.x, y: found.y, right: false, past: false }]}
        x={{ name: "distance", unit: "px", time: false }}
        log={false}
        marks={[]}
        here={null}
        range={range}
        onRange={setRange}
        count={found.x.length}
      />
    </section>
  );
}
