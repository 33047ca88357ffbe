/** The websocket: comes back by itself, and everything followed is followed again. */

import { decode, type Payload } from "./payload";
import type { ServerEvent, Wanted } from "./types";

export type Link = "connecting" | "open" | "lost" | "refused";

export interface Follower {
  wanted: Wanted;
  /** Called for what came; what it returns is waited for before the next is asked for. */
  got: (
    message: Payload<Record<string, unknown>> | Extract<ServerEvent, { sub: number; seq: number }>,
  ) => unknown;
  failed?: (what: string, hint: string) => void;
}

interface Socketlike {
  binaryType: string;
  readyState: number;
  send(text: string): void;
  close(): void;
  onopen: ((event: Event) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
}

const SILENCE = 5000; // ms without a beat: the connection is dead, whatever the browser believes
const LONGEST = 10_000;

export class Socket {
  private socket: Socketlike | null = null;
  private followers = new Map<number, Follower>();
  private next = 1;
  private tries = 0;
  private waiting: ReturnType<typeof setTimeout> | undefined;
  private watch: ReturnType<typeof setTimeout> | undefined;
  private ended = false;

  constructor(
    private readonly url: () => string,
    private readonly heard: (event: ServerEvent) => void,
    private readonly link: (state: Link) => void,
    private readonly make: (url: string) => Socketlike = (url) => new WebSocket(url),
  ) {}

  start() {
    this.ended = false;
    this.open();
  }

  close() {
    this.ended = true;
    clearTimeout(this.waiting);
    clearTimeout(this.watch);
    this.socket?.close();
  }

  /** Follow something; the function that comes back ends it. */
  follow(follower: Follower): () => void {
    const sub = this.next++;
    this.followers.set(sub, follower);
    this.say({ op: "sub", sub, ...follower.wanted });
    return () => {
      if (this.followers.delete(sub)) this.say({ op: "unsub", sub });
    };
  }

  /** Now, not after the pause: the page was looked at again. */
  hurry() {
    if (this.socket === null && !this.ended) {
      clearTimeout(this.waiting);
      this.open();
    }
  }

  private open() {
    this.link(this.tries === 0 ? "connecting" : "lost");
    const socket = this.make(this.url());
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.tries = 0;
      this.link("open");
      this.alive();
      for (const [sub, follower] of this.followers) this.say({ op: "sub", sub, ...follower.wanted });
    };
    socket.onmessage = (event) => {
      this.alive();
      if (typeof event.data === "string") this.text(event.data);
      else this.binary(event.data as ArrayBuffer);
    };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.socket = null;
      clearTimeout(this.watch);
      if (this.ended) return;
      if (event.code === 4401 || event.code === 4403) {
        this.link("refused");
        return;
      }
      this.link("lost");
      this.tries += 1;
      this.waiting = setTimeout(() => this.open(), Math.min(LONGEST, 250 * 2 ** Math.min(this.tries, 6)));
    };
  }

  private alive() {
    clearTimeout(this.watch);
    this.watch = setTimeout(() => this.socket?.close(), SILENCE);
  }

  private say(message: object) {
    if (this.socket?.readyState === 1) this.socket.send(JSON.stringify(message));
  }

  private text(data: string) {
    const event = JSON.parse(data) as ServerEvent;
    if (event.ev === "frame" || event.ev === "map") void this.pass(event.sub, event.seq, event);
    else if (event.ev === "error" && event.sub !== undefined) {
      this.followers.get(event.sub)?.failed?.(event.what, event.hint);
    } else {
      if (event.ev === "beat") this.say({ op: "pong" });
      this.heard(event);
    }
  }

  private binary(data: ArrayBuffer) {
    const payload = decode<{ sub: number; seq: number }>(data);
    void this.pass(
      payload.header.sub,
      payload.header.seq,
      payload as unknown as Payload<Record<string, unknown>>,
    );
  }

  private async pass(sub: number, seq: number, message: Parameters<Follower["got"]>[0]) {
    const follower = this.followers.get(sub);
    try {
      await follower?.got(message);
    } catch (error) {
      follower?.failed?.(error instanceof Error ? error.message : String(error), "");
    } finally {
      this.say({ op: "ack", sub, seq });
    }
  }
}
