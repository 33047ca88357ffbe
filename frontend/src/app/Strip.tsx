import { useState } from "react";
import type { Axis, Session } from "../client/types";
import { words } from "../plots/scale";
import { mayOperate, useApp, useAppState, useSession } from "./context";
import { moment, place } from "./words";

const MOON = "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z";
const SUN =
  "M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10zM11 1h2v4h-2zM11 19h2v4h-2zM1 11h4v2H1zM19 11h4v2h-4zM4.2 5.6l1.4-1.4 2.8 2.8L7 8.4zM15.6 17l1.4-1.4 2.8 2.8-1.4 1.4zM4.2 18.4 7 15.6 8.4 17l-2.8 2.8zM15.6 7l2.8-2.8 1.4 1.4L17 8.4z";

/** The session: where data go, beam and shutters, control, and the way to stop everything. */
export function TopBar() {
  const app = useApp();
  const session = useSession();
  const link = useAppState((s) => s.link);
  const dark = useTheme();
  return (
    <header className="top">
      <a
        className="brand"
        href="./"
        onClick={(event) => {
          event.preventDefault();
          app.view.go({ run: null, plot: null, channel: null });
        }}
      >
        <img src="icon.svg" alt="" width="24" height="24" /> Firstlight
      </a>
      <span className={`link ${link}`} role="status">
        {
          {
            connecting: "connecting",
            open: "live",
            lost: "server gone, trying again",
            refused: "not logged in",
          }[link]
        }
      </span>
      {session ? <Where session={session} /> : <span className="quiet">no session</span>}
      <span className="space" />
      <Control />
      <button
        type="button"
        className="quiet"
        aria-label={dark.on ? "Light theme" : "Dark theme"}
        onClick={dark.toggle}
      >
        {/* As drawings, since not every font has these signs. */}
        <svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true">
          <path fill="currentColor" d={dark.on ? SUN : MOON} />
        </svg>
      </button>
      <button
        type="button"
        className="quiet"
        aria-label="Keys"
        onClick={() => app.state.set({ open: "keys" })}
      >
        ?
      </button>
      {session?.alive && (
        <button
          type="button"
          className="stop"
          onClick={() => void app.attempt(() => app.api.stop(session.name))}
        >
          Stop all
        </button>
      )}
    </header>
  );
}

function Where({ session }: { session: Session }) {
  return (
    <>
      <span className="where">
        <Chosen session={session} />
        {session.alive ? null : <em className="gone"> has ended</em>}
        <span className="quiet">
          {" "}
          {[session.proposal, session.sample, session.dataset].filter(Boolean).join(" / ")}
        </span>
      </span>
      {session.beam && (
        <span className="light">
          beam {words(session.beam.value, 4)} {session.beam.unit}
        </span>
      )}
      {session.shutters.map((shutter) => (
        <span key={shutter.name} className={`light ${shutter.state === "open" ? "on" : ""}`}>
          {shutter.name} {shutter.state}
        </span>
      ))}
    </>
  );
}

/** Its name; where there are several, the way to another one. */
function Chosen({ session }: { session: Session }) {
  const app = useApp();
  // As text, since a new list at each look would be drawn again and again.
  const names = useAppState((s) => Object.keys(s.sessions).sort().join(" ")).split(" ");
  if (names.length < 2) return <b>{session.name}</b>;
  return (
    <select
      aria-label="Session"
      value={session.name}
      onChange={(event) =>
        app.view.go({ session: event.target.value, run: null, plot: null, channel: null, index: null })
      }
    >
      {names.map((name) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  );
}

/** Who operates, and how to become the one. */
function Control() {
  const app = useApp();
  const lease = useAppState((s) => s.lease);
  const me = useAppState((s) => s.me);
  const operate = useAppState(mayOperate);
  const [name, setName] = useState("");
  const act = (what: Parameters<typeof app.api.lease>[0]) =>
    void app.attempt(async () => {
      app.state.set({ lease: await app.api.lease(what, name.trim()) });
    });
  if (me === null) return null;
  if (!operate)
    return <span className="control quiet">{lease ? `${lease.name} has control; ` : ""}you look on</span>;
  const wish = lease?.mine ? lease.requests[0] : undefined;
  return (
    <span className="control">
      {lease === null ? (
        <>
          <label>
            <span className="hidden">Your name</span>
            <input
              placeholder="Your name"
              size={11}
              maxLength={40}
              onChange={(event) => setName(event.target.value)}
            />
          </label>
          <button type="button" onClick={() => act("take")}>
            Take control
          </button>
        </>
      ) : lease.mine ? (
        <>
          {wish ? (
            <span role="alert">
              {wish.name} asks for control{" "}
              <button type="button" onClick={() => act("grant")}>
                give
              </button>
              <button type="button" onClick={() => act("deny")}>
                keep
              </button>
            </span>
          ) : (
            <b>you have control</b>
          )}
          <button type="button" className="quiet" onClick={() => act("release")}>
            release
          </button>
        </>
      ) : (
        <>
          <span>{lease.name} has control</span>
          <button type="button" onClick={() => act("request")}>
            Ask for it
          </button>
        </>
      )}
    </span>
  );
}

function useTheme() {
  const [on, setOn] = useState(() => {
    const kept = localStorage.getItem("theme");
    if (kept) document.documentElement.dataset.theme = kept;
    return kept ? kept === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
  });
  return {
    on,
    toggle: () => {
      const next = on ? "light" : "dark";
      document.documentElement.dataset.theme = next;
      localStorage.setItem("theme", next);
      setOn(!on);
    },
  };
}

/** Axes now, and the last lines of the console. */
export function BottomStrip() {
  const session = useSession();
  const log = useAppState((s) => s.log);
  const axes = Object.entries(session?.axes ?? {});
  return (
    <footer className="bottom">
      <section className="axes" aria-label="Axes">
        {session !== null && !session.alive && (
          <p className="problem">
            {session.error} Positions are those of its end. Start it again: firstlight shell
          </p>
        )}
        <ul>
          {axes.map(([name, axis]) => (
            <AxisChip key={name} name={name} axis={axis} />
          ))}
        </ul>
      </section>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, by keys, too */}
      <section className="console" aria-label="Console" tabIndex={0}>
        <ol>
          {log.slice(-30).map((line, k) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: lines have no names of their own
            <li key={`${line.time} ${k}`} className={line.level}>
              <time className="quiet">{moment(line.time)}</time>{" "}
              {line.level === "command" ? <b>{line.name}&gt; </b> : null}
              {line.level === "error" || line.level === "warning" ? <b>{line.level}: </b> : null}
              {line.text} {line.hint ? <i>{line.hint}</i> : null}
            </li>
          ))}
        </ol>
        {log.length === 0 && (
          <p className="quiet">What is typed in the shell, and what goes wrong, appears here.</p>
        )}
      </section>
    </footer>
  );
}

/** Where it can go no further in one direction: the commonest reason why a scan does not start. */
export function atLimit({ position, limits }: Axis): boolean {
  const width = limits[1] - limits[0];
  const near = Number.isFinite(width) ? 1e-6 * width : 1e-9;
  return position <= limits[0] + near || position >= limits[1] - near;
}

function AxisChip({ name, axis }: { name: string; axis: Axis }) {
  const app = useApp();
  const session = useSession();
  const operate = useAppState(mayOperate);
  const state = axis.error ? "bad" : axis.moving ? "moving" : "";
  const ask = () =>
    app.state.set({ asked: { session: session?.name ?? "", axis: name, to: axis.position ?? 0 } });
  return (
    <li className={`axis ${state}`} data-axis={name} data-moving={axis.moving}>
      <button
        type="button"
        disabled={!operate || !session?.alive}
        title={
          axis.error ||
          `${words(axis.position, 9)} ${axis.unit}; limits ${words(axis.limits[0])} to ${words(axis.limits[1])}; dial ${place(axis.dial)}`
        }
        onClick={ask}
      >
        <span>{name}</span> <b>{axis.error ? "no answer" : `${place(axis.position)} ${axis.unit}`}</b>
        {axis.moving ? <em> moving</em> : null}
        {!axis.error && !axis.moving && atLimit(axis) ? <em className="limit"> at its limit</em> : null}
      </button>
    </li>
  );
}
