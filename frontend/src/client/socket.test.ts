import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { encode } from "./payload";
import { type Link, Socket } from "./socket";
import type { ServerEvent } from "./types";

class Fake {
  static all: Fake[] = [];
  binaryType = "";
  readyState = 0;
  sent: Record<string, unknown>[] = [];
  onopen: ((event: Event) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  constructor(readonly url: string) {
    Fake.all.push(this);
  }
  send(text: string) {
    this.sent.push(JSON.parse(text));
  }
  open() {
    this.readyState = 1;
    this.onopen?.(new Event("open"));
  }
  close(code = 1006) {
    this.readyState = 3;
    this.onclose?.({ code } as CloseEvent);
  }
  say(data: unknown) {
    this.onmessage?.({ data } as MessageEvent);
  }
}

let links: Link[];
let events: ServerEvent[];
let socket: Socket;
const last = () => Fake.all[Fake.all.length - 1] as Fake;

beforeEach(() => {
  vi.useFakeTimers();
  Fake.all = [];
  links = [];
  events = [];
  socket = new Socket(
    () => "ws://here/api/events",
    (event) => events.push(event),
    (link) => links.push(link),
    (url) => new Fake(url),
  );
  socket.start();
});
afterEach(() => {
  socket.close();
  vi.useRealTimers();
});

test("what is followed is followed again after the connection was lost", () => {
  socket.follow({ wanted: { what: "frame", run: "r", channel: "cam", rate: 10 }, got: () => {} });
  last().open();
  expect(last().sent).toEqual([{ op: "sub", sub: 1, what: "frame", run: "r", channel: "cam", rate: 10 }]);
  last().close();
  expect(links.at(-1)).toBe("lost");
  vi.advanceTimersByTime(600);
  expect(Fake.all).toHaveLength(2);
  last().open();
  expect(last().sent[0]).toMatchObject({ op: "sub", sub: 1 });
  expect(links.at(-1)).toBe("open");
});

test("the next is asked for only when this one is drawn", async () => {
  let drawn: () => void = () => {};
  socket.follow({
    wanted: { what: "curve", run: "r", x: "rot", y: ["diode"], view: null, px: 800 },
    got: () => new Promise<void>((resolve) => (drawn = resolve)),
  });
  last().open();
  last().say(encode({ sub: 1, seq: 7 }, {}));
  expect(last().sent.some((m) => m.op === "ack")).toBe(false);
  drawn();
  await vi.advanceTimersByTimeAsync(0);
  expect(last().sent.at(-1)).toEqual({ op: "ack", sub: 1, seq: 7 });
});

test("a follower that fails is told, and still asks for the next", async () => {
  const failed = vi.fn();
  socket.follow({
    wanted: { what: "map", run: "r", z: "fluo", x: null, y: null, at: null, norm: null, rate: 5 },
    got: async () => {
      throw new Error("no such map");
    },
    failed,
  });
  last().open();
  last().say(JSON.stringify({ ev: "map", sub: 1, seq: 1, run: "r", count: 4 }));
  await vi.advanceTimersByTimeAsync(0);
  expect(failed).toHaveBeenCalledWith("no such map", "");
  expect(last().sent.at(-1)).toEqual({ op: "ack", sub: 1, seq: 1 });
});

test("silence is a lost connection; beats are answered", () => {
  last().open();
  vi.advanceTimersByTime(4000);
  last().say(JSON.stringify({ ev: "beat", time: 1 }));
  expect(last().sent).toEqual([{ op: "pong" }]);
  vi.advanceTimersByTime(4000);
  expect(links.at(-1)).toBe("open");
  vi.advanceTimersByTime(1500);
  expect(links.at(-1)).toBe("lost");
});

test("whoever is refused is not asked to wait", () => {
  last().close(4401);
  expect(links.at(-1)).toBe("refused");
  vi.advanceTimersByTime(60_000);
  expect(Fake.all).toHaveLength(1);
});

test("pauses grow, to ten seconds", () => {
  const pauses: number[] = [];
  for (let k = 0; k < 9; k += 1) {
    const count = Fake.all.length;
    last().close();
    let waited = 0;
    while (Fake.all.length === count) {
      vi.advanceTimersByTime(50);
      waited += 50;
    }
    pauses.push(waited);
  }
  expect(pauses[0]).toBe(500);
  expect(pauses.at(-1)).toBe(10_000);
});
