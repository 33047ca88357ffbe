/** Times and positions for people. */

import { words } from "../plots/scale";

/** A time that is set, not one that is waited for: 10 ms, 2.5 s. */
export function span(seconds: number): string {
  if (seconds >= 120) return duration(seconds);
  if (seconds >= 1 || seconds === 0) return `${words(seconds, 4)} s`;
  return seconds >= 1e-3 ? `${words(seconds * 1e3, 4)} ms` : `${words(seconds * 1e6, 4)} µs`;
}

/** How long something took: tenths where they tell. */
export function took(seconds: number): string {
  return seconds < 10 ? span(Number(Math.max(0, seconds).toFixed(1))) : duration(seconds);
}

/** A position: to four decimals, as axes are read; finer only where that would be nothing. */
export function place(position: number | null | undefined): string {
  if (position === null || position === undefined || !Number.isFinite(position)) return "–";
  const size = Math.abs(position);
  if ((size >= 1e-9 && size < 1e-3) || size >= 1e6) return words(position, 3);
  return String(Number(position.toFixed(4)));
}

export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
}

export function moment(epoch: number | null, now = Date.now() / 1000): string {
  if (epoch === null || !Number.isFinite(epoch)) return "";
  const at = new Date(epoch * 1000);
  const time = at.toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hour12: false,
  });
  return now - epoch < 12 * 3600 ? time : `${at.toISOString().slice(0, 10)} ${time}`;
}
