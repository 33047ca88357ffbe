/** Times for people. */

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
