import { type ReactNode, useEffect, useRef, useState } from "react";
import { part } from "../client/api";
import type { RegionStatistics } from "../client/types";
import { runs_on } from "../live/state";
import { numbers, told } from "../plots/region";
import { words } from "../plots/scale";
import { mayOperate, useApp, useAppState, useSession, useView } from "./context";
import { type Asked, current } from "./state";
import { place } from "./words";

/** A dialog of the browser's own: it keeps the focus, and Escape closes it. */
function Dialog(props: { title: string; onClose: () => void; children: ReactNode }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current;
    // jsdom has no modal dialogs.
    if (dialog?.showModal) dialog.showModal();
    return () => dialog?.close?.();
  }, []);
  return (
    <dialog ref={ref} aria-label={props.title} onClose={props.onClose} onCancel={props.onClose}>
      <h2>{props.title}</h2>
      {props.children}
    </dialog>
  );
}

/** Before something moves, it is asked whether that is meant; the command is shown, so that people learn it. */
export function MoveDialog() {
  const app = useApp();
  const asked = useAppState((s) => s.asked);
  return asked === null ? null : (
    <MoveForm key={JSON.stringify(asked)} asked={asked} onClose={() => app.state.set({ asked: null })} />
  );
}

function MoveForm(props: { asked: Asked; onClose: () => void }) {
  const app = useApp();
  const { asked, onClose } = props;
  const session = useAppState((s) => s.sessions[asked.session]);
  const operate = useAppState(mayOperate);
  const moves = [{ axis: asked.axis, to: asked.to }, ...(asked.also ? [asked.also] : [])];
  const [to, setTo] = useState(moves.map((move) => String(Number(move.to.toPrecision(7)))));
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const values = to.map(Number);
  const good = to.every((text) => text.trim() !== "") && values.every(Number.isFinite);
  const command = `umv ${moves.map((move, k) => `${move.axis} ${to[k]}`).join(" ")}`;
  const go = async () => {
    setBusy(true);
    try {
      await app.api.move(
        asked.session,
        Object.fromEntries(moves.map((move, k) => [move.axis, values[k] ?? 0])),
      );
      onClose();
    } catch (error) {
      const hint = (error as { hint?: string }).hint ?? "";
      setProblem(`${error instanceof Error ? error.message : String(error)} ${hint}`.trim());
      setBusy(false);
    }
  };
  return (
    <Dialog title={`Move ${moves.map((move) => move.axis).join(" and ")}?`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (good && !busy) void go();
        }}
      >
        {moves.map((move, k) => {
          const axis = session?.axes[move.axis];
          return (
            <label key={move.axis}>
              {move.axis}, now {place(axis?.position)} {axis?.unit}, limits {words(axis?.limits[0])} to{" "}
              {words(axis?.limits[1])}
              <input
                inputMode="decimal"
                value={to[k]}
                onChange={(event) => setTo(to.map((old, j) => (j === k ? event.target.value : old)))}
              />
            </label>
          );
        })}
        <p>
          The command: <code>{command}</code>
        </p>
        {operate ? null : (
          <p className="problem">You look on: whoever has the link to operate may move axes.</p>
        )}
        {problem ? (
          <p className="problem" role="alert">
            {problem}
          </p>
        ) : null}
        <div className="acts">
          <button type="submit" disabled={!good || busy || !operate}>
            Move
          </button>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** A scan that is given up cannot be taken up again, so it is asked first; "Stop all" does not ask. */
export function AbortDialog() {
  const app = useApp();
  const view = useView((v) => v);
  const run = useAppState((s) => s.runs.find((one) => one.id === current(s.runs, view.run, view.session)));
  const session = useSession();
  const close = () => app.state.set({ open: "" });
  const running = run !== undefined && runs_on(run);
  return (
    <Dialog title="Abort this scan?" onClose={close}>
      {running ? (
        <>
          <p>
            {run.title}: {run.npoints}
            {run.total ? ` of ${run.total}` : ""} points are measured, and kept. It cannot be taken up again.
          </p>
          <div className="acts">
            <button
              type="button"
              className="danger"
              onClick={() => {
                close();
                void app.attempt(() => app.api.abort(run.session || (session?.name ?? "")));
              }}
            >
              Abort scan
            </button>
            <button type="button" onClick={close}>
              Let it go on
            </button>
          </div>
        </>
      ) : (
        <>
          <p>It has ended by itself meanwhile.</p>
          <div className="acts">
            <button type="button" onClick={close}>
              Close
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}

/** A region that was drawn becomes a counter of the next scan, under a name. */
export function RegionDialog() {
  const app = useApp();
  const drawn = useAppState((s) => s.region);
  const operate = useAppState(mayOperate);
  const [name, setName] = useState("");
  const [now, setNow] = useState<RegionStatistics | null>(null);
  const [problem, setProblem] = useState("");
  const key = JSON.stringify(drawn);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` stands for the region
  useEffect(() => {
    setNow(null);
    setProblem("");
    if (drawn === null) return;
    setName(drawn.name);
    void app.attempt(async () =>
      setNow(
        await app.api.json<RegionStatistics>(`runs/${part(drawn.run)}/roi/${part(drawn.channel)}/-1`, {
          ...drawn.region,
        }),
      ),
    );
  }, [app, key]);
  if (drawn === null) return null;
  const close = () => app.state.set({ region: null });
  const { camera } = drawn;
  const save = async () => {
    try {
      const command = await drawn.add(name, drawn.region);
      close();
      app.tell(new Error(`${command}: it counts from the next scan on.`), "info");
    } catch (error) {
      const hint = (error as { hint?: string }).hint ?? "";
      setProblem(`${error instanceof Error ? error.message : String(error)} ${hint}`.trim());
    }
  };
  return (
    <Dialog title="Count in this region?" onClose={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <p>
          {capital(told(drawn.region))}
          {now ? `: sum ${words(now.sum, 7)}, mean ${words(now.mean)}, max ${words(now.max)}` : ""}
        </p>
        <label>
          Name
          <input
            value={name}
            pattern="[A-Za-z_][A-Za-z0-9_]*"
            onChange={(event) => setName(event.target.value)}
          />
        </label>
        <p>
          The command:{" "}
          <code>
            {camera}.rois[{JSON.stringify(name)}] = ({numbers(drawn.region).join(", ")})
          </code>
        </p>
        {drawn.taken.includes(name) ? <p className="note">{name} is there already: it is replaced.</p> : null}
        {operate ? null : (
          <p className="problem">You look on: whoever has the link to operate may set regions.</p>
        )}
        {problem ? (
          <p className="problem" role="alert">
            {problem}
          </p>
        ) : null}
        <div className="acts">
          <button type="submit" disabled={!operate || name === ""}>
            Count here
          </button>
          <button type="button" onClick={close}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

export function Notices() {
  const app = useApp();
  const notices = useAppState((s) => s.notices);
  return (
    <div className="notices" role="status" aria-live="polite">
      {notices.map((notice) => (
        <div key={notice.id} className={`notice ${notice.level}`}>
          <p>
            {notice.text} {notice.hint ? <i>{notice.hint}</i> : null}
          </p>
          <button type="button" className="quiet" aria-label="Dismiss" onClick={() => app.dismiss(notice.id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}

export interface Act {
  keys: string;
  name: string;
  act: () => void;
}

export function Keys({ acts }: { acts: Act[] }) {
  const app = useApp();
  return (
    <Dialog title="Keys" onClose={() => app.state.set({ open: "" })}>
      <table>
        <tbody>
          {acts.map((act) => (
            <tr key={act.name}>
              <th scope="row">
                <kbd>{act.keys}</kbd>
              </th>
              <td>{act.name}</td>
            </tr>
          ))}
          <tr>
            <th scope="row">
              <kbd>+ - 0 arrows</kbd>
            </th>
            <td>In a plot: zoom in, out, all, move</td>
          </tr>
        </tbody>
      </table>
      <div className="acts">
        <button type="button" onClick={() => app.state.set({ open: "" })}>
          Close
        </button>
      </div>
    </Dialog>
  );
}

/** Everything that can be done, and every run, by typing a part of its name. */
export function Palette({ acts }: { acts: Act[] }) {
  const app = useApp();
  const runs = useAppState((s) => s.runs);
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const close = () => app.state.set({ open: "" });
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (name: string) => wanted.every((word) => name.toLowerCase().includes(word));
  const found = [
    ...acts.map((act) => ({ key: act.name, name: act.name, keys: act.keys, act: act.act })),
    ...runs.slice(0, 60).map((run) => ({
      key: run.id,
      name: `${run.number ?? ""} ${run.title}`.trim(),
      keys: "",
      act: () => app.view.go({ run: run.id, index: null, range: null, box: null, plot: null, channel: null }),
    })),
  ]
    .filter((one) => fits(one.name))
    .slice(0, 12);
  // Runs that are not in the list yet are found on the server.
  if (text.trim() !== "")
    found.push({
      key: "search",
      name: `Search all runs for: ${text.trim()}`,
      keys: "",
      act: () => void app.load(text.trim()),
    });
  const chosen = Math.min(at, found.length - 1);
  const take = (index: number) => {
    close();
    found[index]?.act();
  };
  return (
    <Dialog title="Go to" onClose={close}>
      <input
        role="combobox"
        aria-label="What to do, or which run"
        aria-expanded="true"
        aria-controls="palette"
        aria-activedescendant={found[chosen] ? `palette-${chosen}` : undefined}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") setAt(Math.min(chosen + 1, found.length - 1));
          else if (event.key === "ArrowUp") setAt(Math.max(chosen - 1, 0));
          else if (event.key === "Enter") take(chosen);
          else return;
          event.preventDefault();
        }}
      />
      <div id="palette" role="listbox" aria-label="What fits">
        {found.map((one, k) => (
          <div
            key={one.key}
            id={`palette-${k}`}
            role="option"
            tabIndex={-1}
            aria-selected={k === chosen}
            onClick={() => take(k)}
            onKeyDown={() => {}}
          >
            {one.name} {one.keys ? <kbd>{one.keys}</kbd> : null}
          </div>
        ))}
      </div>
    </Dialog>
  );
}
