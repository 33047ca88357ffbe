/** How fast the line to the server is, from what came over it: a slow one is asked for less. */

export type Kind = "native" | "u8" | "jpeg";

const LONG = 500; // ms that a frame may take before less is asked for
const SHORT = 200; // ms that all of it would take before it is asked for again
const LARGE = 30_000; // bytes: smaller answers tell the delay, not the speed
const JPEG = 0.15; // bytes of a JPEG for a pixel, about

export class Line {
  /** Bytes a millisecond; null while nobody knows. */
  rate: number | null = null;

  constructor(
    private readonly saving: () => boolean = () =>
      (navigator as { connection?: { saveData?: boolean } }).connection?.saveData === true,
  ) {}

  /** So many bytes came in so long a time, after the first of them. */
  note(bytes: number, ms: number) {
    if (bytes < LARGE && ms < 100) {
      // Little tells nothing, but that it came at once: what was thought slow may be so no more.
      if (this.rate !== null && ms < 20) this.rate *= 1.05;
      return;
    }
    const now = bytes / Math.max(ms, 0.5);
    this.rate = this.rate === null ? now : this.rate + (now - this.rate) * 0.4;
  }

  /** In what form to ask for a picture.
   *
   * @param before how the last one came: it does not change to and fro.
   */
  choose(pixels: number, bytes: number, before: Kind): Kind {
    if (this.saving()) return "jpeg";
    if (this.rate === null) return before;
    const takes = (kind: Kind) => (pixels * { native: bytes, u8: 1, jpeg: JPEG }[kind]) / (this.rate ?? 1);
    const order: Kind[] = ["native", "u8", "jpeg"];
    const best = order.find((kind) => takes(kind) < LONG) ?? "jpeg";
    if (order.indexOf(best) >= order.indexOf(before)) return best;
    return order.find((kind) => takes(kind) < SHORT) ?? before;
  }
}
