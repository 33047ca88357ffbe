/** What is looked at, as the address of the page: whoever gets the link sees the same. */

import { Store } from "../client/store";

export type PlotKind = "curve" | "image" | "map" | "spectrum" | "waterfall";

export interface View {
  page: "live";
  /** null follows what runs. */
  run: string | null;
  /** Where there are several: the one whose runs are followed; null is any. */
  session: string | null;
  plot: PlotKind | null;
  channel: string | null;
  x: string | null;
  y: string[];
  right: string[];
  log: boolean;
  derivative: boolean;
  monitor: string | null;
  range: [number, number] | null;
  box: [number, number, number, number] | null;
  index: number | null;
  colours: string;
  scale: "linear" | "log" | "gamma";
  levels: [number, number] | null;
  /** Axes of the map, across and up the screen; null for the innermost two. */
  across: string | null;
  up: string | null;
  /** Steps of the other axes of a mesh, outermost first; null where the newest point is. */
  at: number[] | null;
  /** Shares of the pixels between which the automatic levels lie; null for those that the page chooses. */
  auto: [number, number] | null;
  over: string[];
  marks: string[];
  /** Whether the introduction is shown; null is for the browser to remember. */
  intro: boolean | null;
}

export const START: View = {
  page: "live",
  run: null,
  session: null,
  plot: null,
  channel: null,
  x: null,
  y: [],
  right: [],
  log: false,
  derivative: false,
  monitor: null,
  range: null,
  box: null,
  index: null,
  colours: "viridis",
  scale: "linear",
  levels: null,
  across: null,
  up: null,
  at: null,
  auto: null,
  over: [],
  marks: [],
  intro: null,
};

const PLOTS: readonly string[] = ["curve", "image", "map", "spectrum", "waterfall"];
const SCALES: readonly string[] = ["linear", "log", "gamma"];

function numbers(text: string | null, count: number): number[] | null {
  if (text === null) return null;
  const parts = text.split(",");
  const found = parts.map(Number);
  return parts.length === count && parts.every(Boolean) && found.every(Number.isFinite) ? found : null;
}

function steps(text: string | null): number[] | null {
  return text !== null && /^\d+(,\d+)*$/.test(text) ? text.split(",").map(Number) : null;
}

const words = (text: string | null) => (text ? text.split(",").filter(Boolean) : []);

/** The view that an address asks for; what it says wrongly is as if it had not been said. */
export function parse(search: string): View {
  const query = new URLSearchParams(search);
  const plot = query.get("plot");
  const scale = query.get("scale");
  const index = query.get("i");
  return {
    page: "live",
    run: query.get("run"),
    session: query.get("session"),
    plot: plot !== null && PLOTS.includes(plot) ? (plot as PlotKind) : null,
    channel: query.get("ch"),
    x: query.get("x"),
    y: words(query.get("y")),
    right: words(query.get("right")),
    log: query.get("log") === "1",
    derivative: query.get("diff") === "1",
    monitor: query.get("norm"),
    range: numbers(query.get("range"), 2) as [number, number] | null,
    box: numbers(query.get("box"), 4) as [number, number, number, number] | null,
    index: index !== null && /^\d+$/.test(index) ? Number(index) : null,
    colours: query.get("map") ?? START.colours,
    scale: scale !== null && SCALES.includes(scale) ? (scale as View["scale"]) : "linear",
    levels: numbers(query.get("levels"), 2) as [number, number] | null,
    across: query.get("across"),
    up: query.get("up"),
    at: steps(query.get("at")),
    auto: numbers(query.get("auto"), 2) as [number, number] | null,
    over: words(query.get("over")),
    marks: words(query.get("marks")),
    intro: query.get("intro") === "1" ? true : query.get("intro") === "0" ? false : null,
  };
}

const short = (value: number) => String(Number(value.toPrecision(8)));

/** The address of a view: only what differs from the start. */
export function format(view: View): string {
  const query = new URLSearchParams();
  const say = (name: string, value: string | null | false) => {
    if (value) query.set(name, value);
  };
  say("run", view.run);
  say("session", view.session);
  say("plot", view.plot);
  say("ch", view.channel);
  say("x", view.x);
  say("y", view.y.join(","));
  say("right", view.right.join(","));
  say("log", view.log && "1");
  say("diff", view.derivative && "1");
  say("norm", view.monitor);
  say("range", view.range?.map(short).join(",") ?? null);
  say("box", view.box?.map(short).join(",") ?? null);
  say("i", view.index === null ? null : String(view.index));
  say("map", view.colours === START.colours ? null : view.colours);
  say("scale", view.scale === "linear" ? null : view.scale);
  say("levels", view.levels?.map(short).join(",") ?? null);
  say("across", view.across);
  say("up", view.up);
  say("at", view.at?.join(",") ?? null);
  say("auto", view.auto?.join(",") ?? null);
  say("over", view.over.join(","));
  say("marks", view.marks.join(","));
  say("intro", view.intro === null ? null : view.intro ? "1" : "0");
  // Commas are allowed in queries, and easier to read.
  const text = query.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  return text ? `?${text}` : "";
}

/** Browsers refuse more than some 200 changes of the address in 10 s: of a drag one is written every so many ms … */
const PAUSE = 100;
/** … but for the first few, which are clicks and keys. */
const FREE = 10;

export class ViewStore extends Store<View> {
  private written = 0;
  private free = FREE;
  private counted = 0;
  private waiting: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly place: Pick<Window, "location" | "history" | "addEventListener">) {
    super(parse(place.location.search));
    place.addEventListener("popstate", () => {
      clearTimeout(this.waiting);
      this.set(parse(place.location.search));
    });
  }

  /** Change the view; a step that the browser's "back" undoes unless it is a small one. */
  go(change: Partial<View>, small = false) {
    const before = format(this.get());
    const next = { ...this.get(), ...change };
    clearTimeout(this.waiting);
    if (!small && format(next) !== before) {
      // What was dragged a moment ago is where "back" leads to.
      this.write(before);
      this.place.history.pushState(null, "", this.place.location.pathname + format(next));
    } else {
      const now = Date.now();
      this.free = Math.min(FREE, this.free + (now - this.counted) / PAUSE);
      this.counted = now;
      const early = this.free >= 1 ? 0 : PAUSE - (now - this.written);
      if (early <= 0) this.write(format(next));
      else this.waiting = setTimeout(() => this.write(format(this.get())), early);
    }
    this.set(next);
  }

  private write(address: string) {
    const { pathname, search } = this.place.location;
    if (address === search) return;
    this.written = Date.now();
    this.free = Math.max(0, this.free - 1);
    this.place.history.replaceState(null, "", pathname + address);
  }
}
