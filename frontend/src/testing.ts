/** Values for tests of components: each test names only what it is about. */

import type { Axis, Channel, ChannelRole, Run, RunDetail, Session } from "./client/types";

export function aListed(change: Partial<Run> = {}): Run {
  return {
    id: "r1",
    title: "ascan sx -1 1 40 0.01 diode",
    name: "ascan",
    number: 1,
    state: "CLOSED",
    end: { reason: "SUCCESS", message: "", epoch: 1_795_000_010 },
    start: 1_795_000_000,
    session: "fl01",
    proposal: "hc1234",
    sample: "tooth",
    dataset: "overview",
    parent: null,
    npoints: 41,
    total: 41,
    live: true,
    technique: "",
    ...change,
  };
}

export function aRun(change: Partial<RunDetail> = {}): RunDetail {
  return {
    ...aListed(),
    axes: [],
    shape: [],
    count_time: null,
    plots: [],
    channels: {},
    positioners: {},
    parameters: {},
    metadata: {},
    path: null,
    children: [],
    ...change,
  };
}

export function aChannel(name: string, role: ChannelRole, unit = "", source = name): Channel {
  const shape = role === "frame" ? [48, 64] : role === "spectrum" ? [1024] : [];
  return { name, dtype: "<f8", shape, unit, source, kind: "log", role, count: 0, sealed: false, info: {} };
}

export function aSession(change: Partial<Session> = {}): Session {
  return {
    name: "fl01",
    alive: true,
    error: "",
    beamline: "fl01",
    proposal: "hc1234",
    sample: "tooth",
    dataset: "overview",
    jobs: [],
    beam: { channel: "ring", value: 198.71, unit: "mA" },
    shutters: [{ name: "fshut", state: "open" }],
    axes: {},
    groups: {},
    active: "",
    cameras: ["cam"],
    failed: [],
    ...change,
  };
}

export function anAxis(change: Partial<Axis> = {}): Axis {
  return {
    unit: "mm",
    position: 0,
    dial: 0,
    moving: false,
    limits: [-5, 5],
    velocity: 1,
    offset: 0,
    sign: 1,
    error: "",
    ...change,
  };
}
