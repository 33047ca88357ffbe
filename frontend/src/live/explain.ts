/** What a run does, in a sentence: for whoever does not read the commands of scans. */

import { span } from "../app/words";
import type { RunDetail } from "../client/types";
import { words } from "../plots/scale";

interface Move {
  axis: string;
  from: number;
  to: number;
  points: number;
}

interface Spec {
  type?: string;
  axis?: unknown;
  start?: unknown;
  stop?: unknown;
  num?: unknown;
  outer?: Spec;
  inner?: Spec;
  left?: Spec;
  right?: Spec;
  spec?: Spec;
}

/** The movements of a path (a specification of scanspec), the slowest first; null when it is of another form. */
export function movements(path: unknown, fly = false): Move[][] | null {
  const spec = (path ?? {}) as Spec;
  const both = (a: unknown, b: unknown, join: (a: Move[][], b: Move[][]) => Move[][] | null) => {
    const [first, second] = [movements(a, fly), movements(b, fly)];
    return first === null || second === null ? null : join(first, second);
  };
  switch (spec.type) {
    case "Linspace": {
      const { axis, start, stop, num } = spec;
      if (typeof axis !== "string" || typeof num !== "number") return null;
      if (typeof start !== "number" || typeof stop !== "number") return null;
      // Points of a continuous scan are the middles of its intervals.
      const half = fly && num > 1 ? (stop - start) / (num - 1) / 2 : 0;
      return [[{ axis, from: start - half, to: stop + half, points: num }]];
    }
    case "Product":
      return both(spec.outer, spec.inner, (outer, inner) => [...outer, ...inner]);
    case "Zip":
      return both(spec.left, spec.right, (left, right) =>
        left.length === 1 && right.length === 1 ? [[...(left[0] ?? []), ...(right[0] ?? [])]] : null,
      );
    case "Snake":
      return movements(spec.spec, fly);
    case "Fly":
      return movements(spec.spec, true);
    default:
      return null;
  }
}

const list = (names: string[]) =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;

/** The devices whose values are kept, each once. */
export function measured(run: RunDetail): string[] {
  const kept = Object.values(run.channels).filter((c) => c.role !== "axis" && c.role !== "time");
  const own = kept.filter(
    (c) => c.role !== "status" && !run.axes.some((axis) => c.name.startsWith(`${axis}:`)),
  );
  return [...new Set(own.map((channel) => channel.source || channel.name))];
}

/** What moves and what is measured; empty when there is nothing to say beyond the title. */
export function explain(run: RunDetail): string {
  const parts = Array.isArray(run.parameters.steps) ? (run.parameters.steps as unknown[]) : null;
  if (parts !== null) {
    const scans = parts.map(String).filter((part) => !part.startsWith("move "));
    return `A sequence: ${scans.join(", then ")}.`;
  }
  const results = Object.values(run.channels).filter((channel) => channel.role === "result");
  if (results.length > 0 && run.parent !== null) {
    const what = list(results.map((channel) => channel.name));
    return `${what[0]?.toUpperCase() ?? ""}${what.slice(1)}: computed from what was measured${
      run.technique ? ` (${run.technique})` : ""
    }, and shown as it came.`;
  }
  const { kind, relative, path } = run.parameters;
  const time = run.count_time === null ? "" : span(run.count_time);
  const counted = measured(run);
  const what = counted.length > 0 ? ` Measured: ${list(counted)}.` : "";
  const unit = (axis: string) => run.channels[axis]?.unit || run.positioners[axis]?.unit || "";
  if (kind === "time") {
    const points = run.total === null ? "Counts" : run.total === 1 ? "One count" : `${run.total} counts`;
    return `Nothing moves. ${points} of ${time}.${what}`;
  }
  const loops = movements(path);
  if (loops === null) {
    if (run.axes.length === 0 || kind === undefined) return "";
    return `${list(run.axes)} ${run.axes.length > 1 ? "move" : "moves"} along a path of ${run.total ?? "many"} points${
      time ? `, ${time} at each` : ""
    }.${what}`;
  }
  const said = ({ axis, from, to }: Move) =>
    `${axis} from ${words(from, 6)} to ${words(to, 6)} ${unit(axis)}`.trimEnd();
  const fast = loops.at(-1) ?? [];
  const points = fast[0]?.points ?? 0;
  const around = relative === true ? " around where it was" : "";
  const rows = loops
    .slice(0, -1)
    .map((row) => `${row[0]?.points} rows, ${row.map(said).join(", ")}`)
    .reverse();
  const line =
    kind === "fly"
      ? `${fast.map(said).join(", ")}${around} without a stop: ${points} exposures of ${time}`
      : `${fast.map(said).join(" and ")}${around} in ${points} points, ${time} at each`;
  return `${[line, ...rows].join("; ")}.${what}`;
}
