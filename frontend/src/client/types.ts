/** What the server says, as docs/reference/web.md describes it. */

export type Role = "view" | "operate" | "terminal";

export interface Lease {
  name: string;
  mine: boolean;
  since: number;
  expires: number;
  requests: { name: string; since: number }[];
}

export interface Me {
  name: string;
  role: Role;
  csrf: string;
  version: string;
  prefix: string;
  server: string;
  lease: Lease | null;
}

export interface Axis {
  unit: string;
  position: number;
  dial: number;
  moving: boolean;
  limits: [number, number];
  velocity: number;
  offset: number;
  sign: number;
  error: string;
}

export interface Job {
  number: number;
  sort: string;
  doing: string;
  client: string;
  since: number;
}

export interface Session {
  name: string;
  alive: boolean;
  error: string;
  beamline: string;
  proposal: string;
  sample: string;
  dataset: string;
  jobs: Job[];
  beam: { channel: string; value: number; unit: string } | null;
  shutters: { name: string; state: string }[];
  axes: Record<string, Axis>;
  groups: Record<string, string[]>;
  active: string;
  cameras: string[];
  failed: string[];
}

export type RunState = "CREATED" | "PREPARED" | "RUNNING" | "STOPPED" | "CLOSED";

export interface RunEnd {
  reason: string;
  message: string;
  epoch: number;
}

export interface Run {
  id: string;
  title: string;
  name: string;
  number: number | null;
  state: RunState;
  end: RunEnd | null;
  start: number;
  session: string;
  proposal: string;
  sample: string;
  dataset: string;
  parent: string | null;
  npoints: number;
  total: number | null;
  live: boolean;
  technique: string;
}

export type ChannelRole = "axis" | "counter" | "spectrum" | "frame" | "time" | "status" | "result" | "other";

export interface Channel {
  name: string;
  dtype: string;
  shape: number[];
  unit: string;
  source: string;
  kind: "log" | "ragged" | "ring" | "reference";
  role: ChannelRole;
  count: number;
  sealed: boolean;
  info: Record<string, unknown>;
}

export interface RunDetail extends Run {
  axes: string[];
  shape: number[];
  count_time: number | null;
  plots: { x: string; y: string[] }[];
  channels: Record<string, Channel>;
  positioners: Record<string, { value: number; unit: string }>;
  parameters: Record<string, unknown>;
  metadata: Record<string, unknown>;
  path: string | null;
  children: Run[];
}

export interface Progress {
  run: string;
  point: number;
  total: number | null;
  remaining: number | null;
  doing: string;
}

export interface LogLine {
  time: number;
  level: "debug" | "info" | "warning" | "error" | "command";
  name: string;
  text: string;
  hint: string;
}

export interface Feature {
  kind: "cen" | "com" | "peak" | "trough" | "fwhm";
  x: number;
  y: number;
  left: number;
  right: number;
  unit: string;
  text: string;
}

export interface Rectangle {
  kind: "rectangle";
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Arc {
  kind: "arc";
  cx: number;
  cy: number;
  r1: number;
  r2: number;
  a1: number;
  a2: number;
}

export type Region = Rectangle | Arc;

export interface RegionStatistics {
  sum: number;
  mean: number;
  std: number;
  min: number;
  max: number;
  count: number;
  saturated: number;
  missing: number;
}

export interface CurveHeader {
  sub?: number;
  seq?: number;
  run: string;
  count: number;
  total: number | null;
  reduced: boolean;
  sealed: boolean;
  view: [number, number] | null;
  x: { name: string; unit: string; kind: string };
  y: { name: string; unit: string }[];
  lost: number;
}

export interface FrameHeader {
  run: string;
  channel: string;
  index: number;
  count: number;
  view: [number, number, number, number];
  bin: [number, number];
  reduced: boolean;
  reduce: "max" | "mean";
  full: [number, number];
  dtype: string;
  quantiles: Record<string, number>;
  /** What pixels have that are saturated, masked or missing. */
  top: number | null;
  missing: boolean;
  status: number;
  time: number | null;
}

export interface MapAxis {
  name: string;
  unit: string;
  start: number;
  stop: number;
  n: number;
}

export interface MapHeader {
  run: string;
  regular: boolean;
  binned?: boolean;
  x: MapAxis;
  y: MapAxis;
  z?: { name: string; unit: string };
  count: number;
  total: number | null;
  range: [number, number] | null;
  points?: number;
  /** Where the axes stand that the map does not show. */
  planes?: { name: string; unit: string; n: number; index: number; position: number | null }[];
}

/** Messages of the websocket that are JSON. */
export type ServerEvent =
  | { ev: "hello"; server: string; me: Me; time: number }
  | { ev: "beat"; time: number }
  | { ev: "session"; session: Session }
  | { ev: "axes"; session: string; axes: Record<string, Axis> }
  | { ev: "run"; run: Run }
  | {
      ev: "progress";
      run: string;
      point: number;
      total: number | null;
      remaining: number | null;
      doing: string;
    }
  | { ev: "channels"; run: string }
  | { ev: "log"; lines: LogLine[] }
  | { ev: "lease"; lease: Lease | null }
  | { ev: "error"; what: string; hint: string; sub?: number }
  | {
      ev: "frame";
      sub: number;
      seq: number;
      run: string;
      channel: string;
      index: number;
      count: number;
      lost: number;
    }
  | { ev: "map"; sub: number; seq: number; run: string; count: number };

/** What a page may follow. */
export type Wanted =
  | {
      what: "curve";
      run: string;
      x: string | null;
      y: string[];
      view: [number, number] | null;
      px: number;
      norm?: string | null;
      derivative?: boolean;
    }
  | { what: "frame"; run: string; channel: string; rate: number }
  | {
      what: "map";
      run: string;
      z: string;
      x: string | null;
      y: string | null;
      at: number[] | null;
      norm: string | null;
      rate: number;
    };
