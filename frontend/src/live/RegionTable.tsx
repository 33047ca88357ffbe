import { useEffect, useMemo, useState } from "react";
import { useApp } from "../app/context";
import type { Channel, Region, RegionStatistics, RunDetail } from "../client/types";
import { told } from "../plots/region";
import { words } from "../plots/scale";
import { type Editor, NAME } from "./regions";

/** What regions of one frame hold, from all its pixels. */
export function useStatistics(
  run: RunDetail,
  channel: Channel,
  index: number | null,
  regions: Record<string, Region>,
): Record<string, RegionStatistics> {
  const app = useApp();
  const [now, setNow] = useState<Record<string, RegionStatistics>>({});
  const [turn, setTurn] = useState(0);
  const key = JSON.stringify(regions);
  const busy = useMemo(() => ({ now: false, again: false }), []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` stands for the regions
  useEffect(() => {
    if (index === null) return;
    // One after the other: a region that is dragged asks often.
    if (busy.now) {
      busy.again = true;
      return;
    }
    busy.now = true;
    void Promise.allSettled(
      Object.entries(regions).map(
        async ([name, region]) => [name, await app.api.region(run.id, channel.name, index, region)] as const,
      ),
    ).then((all) => {
      setNow(Object.fromEntries(all.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []))));
      busy.now = false;
      if (busy.again) setTurn((last) => last + 1);
      busy.again = false;
    });
  }, [app, run.id, channel.name, index, key, turn]);
  return now;
}

/** The regions of an image, what they hold, and what can be done with them. */
export function RegionTable(props: {
  regions: Record<string, Region>;
  /** Those of the run that the camera has no more. */
  fixed: readonly string[];
  statistics: Record<string, RegionStatistics>;
  editor: Editor;
  renaming: string | null;
  onRename: (name: string | null) => void;
}) {
  const { regions, fixed, statistics, editor, renaming } = props;
  const { past, future, chosen } = editor.state;
  return (
    <table className="regions">
      <caption>
        Regions, of all pixels of this frame
        {editor.operate && (
          <>
            {" "}
            <button type="button" className="quiet" disabled={past.length === 0} onClick={editor.undo}>
              undo
            </button>
            <button type="button" className="quiet" disabled={future.length === 0} onClick={editor.redo}>
              redo
            </button>
          </>
        )}
        {editor.command ? (
          <span className="note">
            {" "}
            <code>{editor.command}</code> from the next scan on
          </span>
        ) : null}
      </caption>
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
        {Object.entries(regions).map(([name, region]) => {
          const now = statistics[name];
          const free = editor.operate && !fixed.includes(name);
          return (
            <tr key={name} aria-selected={name === chosen} title={told(region)}>
              <th scope="row">
                {renaming === name ? (
                  <Rename
                    name={name}
                    taken={Object.keys(regions)}
                    onDone={(to) => {
                      props.onRename(null);
                      if (to !== null) editor.change({ [name]: null, [to]: region }, to);
                    }}
                  />
                ) : free ? (
                  <button
                    type="button"
                    className="quiet"
                    aria-pressed={name === chosen}
                    onClick={() => editor.choose(name === chosen ? null : name)}
                  >
                    {name}
                  </button>
                ) : (
                  <span>{name in editor.state.now ? name : `${name} (of this run)`}</span>
                )}
              </th>
              <td data-region={name}>{words(now?.sum, 7)}</td>
              <td>{words(now?.mean)}</td>
              <td>{words(now?.max)}</td>
              <td>{now?.saturated ?? "–"}</td>
              <td>
                {free && (
                  <>
                    <button
                      type="button"
                      className="quiet"
                      aria-label={`Rename ${name}`}
                      onClick={() => props.onRename(name)}
                    >
                      rename
                    </button>
                    <button
                      type="button"
                      className="quiet"
                      aria-label={`Remove ${name}`}
                      onClick={() => editor.change({ [name]: null })}
                    >
                      remove
                    </button>
                  </>
                )}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Rename(props: { name: string; taken: string[]; onDone: (to: string | null) => void }) {
  const [to, setTo] = useState(props.name);
  const good = NAME.test(to) && (to === props.name || !props.taken.includes(to));
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (good) props.onDone(to === props.name ? null : to);
      }}
    >
      <input
        aria-label={`New name of ${props.name}`}
        aria-invalid={!good}
        // biome-ignore lint/a11y/noAutofocus: it was asked for this very moment
        autoFocus
        value={to}
        onChange={(event) => setTo(event.target.value)}
        onBlur={() => props.onDone(null)}
        onKeyDown={(event) => {
          if (event.key === "Escape") {
            event.preventDefault();
            props.onDone(null);
          }
        }}
      />
      {good ? null : (
        <span className="problem" role="alert">
          {props.taken.includes(to) ? " There is one of that name." : " Use letters, digits and underscores."}
        </span>
      )}
    </form>
  );
}
