/** Requests to the server; every failure is a `Refused` with words for people. */

import { Line } from "./line";
import { decode, type Payload } from "./payload";
import type { Feature, Lease, Me, Region, RegionStatistics, Run, RunDetail, Session } from "./types";

export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly hint: string,
    readonly kind: string,
  ) {
    super(message);
  }
}

const GONE = new Refused(
  0,
  "The web server does not answer.",
  "It may be starting again; this page goes on trying.",
  "Gone",
);

export type Query = Record<
  string,
  string | number | boolean | null | undefined | readonly (string | number)[]
>;

/** `api/x` with a query; what is null or undefined is left out. */
export function address(path: string, query: Query = {}): string {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined) continue;
    words.set(name, Array.isArray(value) ? value.join(",") : String(value));
  }
  const text = words.toString();
  return `api/${path}${text ? `?${text}` : ""}`;
}

export const part = (text: string) => encodeURIComponent(text);

export class Api {
  csrf = "";
  readonly line = new Line();

  async json<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
    return (await (await this.ask(address(path, query), signal ? { signal } : {})).json()) as T;
  }

  /** null: there is nothing yet. */
  async newest<H>(path: string, query?: Query, signal?: AbortSignal): Promise<Payload<H> | null> {
    const answer = await this.ask(address(path, query), signal ? { signal } : {});
    if (answer.status === 204) return null;
    const began = performance.now();
    const data = await answer.arrayBuffer();
    this.line.note(data.byteLength, performance.now() - began);
    return decode<H>(data);
  }

  async payload<H>(path: string, query?: Query, signal?: AbortSignal): Promise<Payload<H>> {
    const found = await this.newest<H>(path, query, signal);
    if (found === null)
      throw new Refused(204, "There is nothing yet.", "Wait for the first point.", "NotYet");
    return found;
  }

  async post<T>(path: string, body: object): Promise<T> {
    const answer = await this.ask(address(path), {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Firstlight-CSRF": this.csrf },
      body: JSON.stringify(body),
    });
    return (await answer.json()) as T;
  }

  async me(): Promise<Me> {
    const me = await this.json<Me>("me");
    this.csrf = me.csrf;
    return me;
  }

  status = () => this.json<{ sessions: Session[]; roots: string[] }>("status");
  runs = (query: Query) => this.json<{ runs: Run[]; more: boolean }>("runs", query);
  run = (id: string) => this.json<RunDetail>(`runs/${part(id)}`);
  feature = (id: string, x: string, y: string, kind: Feature["kind"]) =>
    this.json<Feature>(`runs/${part(id)}/features`, { x, y, kind });
  region = (id: string, channel: string, index: number, region: Region) =>
    this.json<RegionStatistics>(`runs/${part(id)}/roi/${part(channel)}/${index}`, { ...region });
  lease = (action: "take" | "request" | "release" | "grant" | "deny", name = "") =>
    this.post<Lease | null>("lease", { action, name });
  stop = (session: string) => this.post<unknown>("stop", { session });
  abort = (session: string, job: number | null = null) => this.post<unknown>("abort", { session, job });
  move = (session: string, targets: Record<string, number>, relative = false) =>
    this.post<{ job: number }>("move", { session, targets, relative });
  regionsOf = async (session: string, camera: string) =>
    (await this.json<{ rois: Record<string, Region> }>("rois", { session, camera })).rois;
  regions = (session: string, camera: string, rois: Record<string, Region | null>) =>
    this.post<{ rois: Record<string, Region>; command: string }>("rois", { session, camera, rois });

  private async ask(path: string, how: RequestInit): Promise<Response> {
    let answer: Response;
    try {
      answer = await fetch(path, { credentials: "same-origin", ...how });
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw GONE;
    }
    if (answer.ok) return answer;
    throw await refusal(answer);
  }
}

async function refusal(answer: Response): Promise<Refused> {
  try {
    const { error } = (await answer.json()) as { error: { what: string; hint: string; kind: string } };
    return new Refused(answer.status, error.what, error.hint, error.kind);
  } catch {
    return new Refused(answer.status, `The server answered ${answer.status}.`, "", "Unknown");
  }
}
