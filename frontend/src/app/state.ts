/** What the application knows: filled by the websocket, asked again when the server is another one. */

import { Api, Refused } from "../client/api";
import { type Link, Socket } from "../client/socket";
import { Store } from "../client/store";
import type { Lease, LogLine, Me, Progress, Region, Run, ServerEvent, Session } from "../client/types";
import { type View, ViewStore } from "./view";

export interface Notice {
  id: number;
  level: "info" | "error";
  text: string;
  hint: string;
}

export interface Asked {
  session: string;
  axis: string;
  to: number;
  also?: { axis: string; to: number };
}

export interface Drawn {
  run: string;
  channel: string;
  camera: string;
  /** What is proposed. */
  name: string;
  region: Region;
  /** Names that are taken: such a region is replaced. */
  taken: string[];
  /** Count in it, under a name; the command that does the same. */
  add: (name: string, region: Region) => Promise<string>;
}

export interface State {
  link: Link;
  me: Me | null;
  lease: Lease | null;
  sessions: Record<string, Session>;
  runs: Run[];
  more: boolean;
  search: string;
  progress: Record<string, Progress>;
  /** Counts up when a run has more channels than before. */
  channels: Record<string, number>;
  log: LogLine[];
  notices: Notice[];
  frozen: boolean;
  loaded: boolean;
  /** A move that was clicked, and waits to be confirmed. */
  asked: Asked | null;
  /** A region that was drawn, and waits for its name. */
  region: Drawn | null;
  /** What is open over the page. */
  open: "" | "keys" | "palette" | "abort";
}

const START: State = {
  link: "connecting",
  me: null,
  lease: null,
  sessions: {},
  runs: [],
  more: false,
  search: "",
  progress: {},
  channels: {},
  log: [],
  notices: [],
  frozen: false,
  loaded: false,
  asked: null,
  region: null,
  open: "",
};

const LINES = 200;

export class Application {
  readonly api = new Api();
  readonly state = new Store<State>(START);
  readonly view: ViewStore;
  readonly socket: Socket;
  private notices = 0;
  private server = "";

  constructor(place: Window = window) {
    this.view = new ViewStore(place);
    this.socket = new Socket(
      () => new URL("api/events", place.document.baseURI).href.replace(/^http/, "ws"),
      (event) => this.hear(event),
      (link) => this.state.set({ link }),
    );
  }

  start() {
    this.socket.start();
    void this.load();
  }

  stop() {
    this.socket.close();
  }

  /** The list of runs, by the words that are looked for. */
  async load(search = this.state.get().search) {
    this.state.set({ search });
    try {
      const { runs, more } = await this.api.runs({ limit: 60, text: search });
      if (this.state.get().search === search) this.state.set({ runs, more, loaded: true });
    } catch (error) {
      this.tell(error);
      this.state.set({ loaded: true });
    }
  }

  async older() {
    const { runs, search } = this.state.get();
    const last = runs.at(-1);
    if (!last) return;
    try {
      const found = await this.api.runs({ limit: 60, text: search, before: last.start });
      this.state.set((now) => ({ ...now, runs: merge(now.runs, found.runs), more: found.more }));
    } catch (error) {
      this.tell(error);
    }
  }

  /** Do something, and say so when it is refused. */
  async attempt<T>(act: () => Promise<T>): Promise<T | undefined> {
    try {
      return await act();
    } catch (error) {
      this.tell(error);
      return undefined;
    }
  }

  tell(error: unknown, level: Notice["level"] = "error") {
    if (error instanceof DOMException && error.name === "AbortError") return;
    const text = error instanceof Error ? error.message : String(error);
    const hint = error instanceof Refused ? error.hint : "";
    const id = ++this.notices;
    this.state.set((now) => ({
      ...now,
      notices: [...now.notices.filter((n) => n.text !== text), { id, level, text, hint }].slice(-4),
    }));
  }

  dismiss(id: number) {
    this.state.set((now) => ({ ...now, notices: now.notices.filter((notice) => notice.id !== id) }));
  }

  private hear(event: ServerEvent) {
    switch (event.ev) {
      case "hello":
        this.api.csrf = event.me.csrf;
        this.state.set({ me: event.me, lease: event.me.lease, sessions: {}, log: [] });
        // Another server process, or one that was away: what it told meanwhile is asked for.
        if (this.server !== "") void this.load();
        this.server = event.server;
        break;
      case "session":
        this.state.set((now) => ({
          ...now,
          sessions: { ...now.sessions, [event.session.name]: event.session },
        }));
        break;
      case "axes":
        this.state.set((now) => {
          const session = now.sessions[event.session];
          if (!session) return now;
          const axes = { ...session.axes, ...event.axes };
          return { ...now, sessions: { ...now.sessions, [event.session]: { ...session, axes } } };
        });
        break;
      case "run":
        this.state.set((now) => {
          if (now.search !== "" && !now.runs.some((run) => run.id === event.run.id)) return now;
          return { ...now, runs: merge([event.run], now.runs) };
        });
        break;
      case "progress":
        this.state.set((now) => ({
          ...now,
          progress: { [event.run]: event },
          runs: now.runs.map((run) =>
            run.id === event.run ? { ...run, npoints: Math.max(run.npoints, event.point) } : run,
          ),
        }));
        break;
      case "channels":
        this.state.set((now) => ({
          ...now,
          channels: { ...now.channels, [event.run]: (now.channels[event.run] ?? 0) + 1 },
        }));
        break;
      case "log":
        this.state.set((now) => ({ ...now, log: [...now.log, ...event.lines].slice(-LINES) }));
        break;
      case "lease":
        this.state.set({ lease: event.lease });
        break;
      case "error":
        this.tell(new Refused(0, event.what, event.hint, "Error"));
        break;
      default:
        break;
    }
  }
}

/** Newest first, each once; of two the first counts. */
export function merge(first: Run[], then: Run[]): Run[] {
  const found = new Map<string, Run>();
  for (const run of [...first, ...then]) if (!found.has(run.id)) found.set(run.id, run);
  return [...found.values()].sort((a, b) => (b.start ?? 0) - (a.start ?? 0));
}

/** The session that is shown, and that acts go to: the one of the run, else the one that was chosen, else one that lives. */
export function shownSession(state: State, view: Pick<View, "run" | "session">): Session | null {
  const all = Object.values(state.sessions);
  const id = current(state.runs, view.run, view.session);
  const run = state.runs.find((one) => one.id === id);
  const named = (name: string | null | undefined) => all.find((one) => one.name === name);
  const chosen = view.run === null ? (named(view.session) ?? named(run?.session)) : named(run?.session);
  const lives = (one: Session | undefined) =>
    one?.alive || view.run !== null || view.session ? one : undefined;
  return lives(chosen) ?? all.find((one) => one.alive) ?? all[0] ?? null;
}

/** The run that the page shows: the one asked for, else what runs, else the newest; of one session when that is asked. */
export function current(all: Run[], asked: string | null, session: string | null = null): string | null {
  if (asked !== null) return asked;
  const runs = session === null ? all : all.filter((run) => run.session === session);
  const running = runs.find((run) => run.state === "RUNNING" || run.state === "PREPARED");
  // Of a sequence the part that measures is of interest, not the frame around it.
  const part = runs.find((run) => run.state === "RUNNING" && run.parent !== null);
  return (part ?? running ?? runs.find((run) => run.npoints !== 0) ?? runs[0])?.id ?? null;
}
