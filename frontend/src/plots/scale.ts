/** From values to shares of a colour map and back; the same arithmetic as the server's and the shader's. */

export type Scale = "linear" | "log" | "gamma";

export function share(value: number, low: number, high: number, scale: Scale): number {
  const width = high > low ? high - low : 1;
  const t = Math.min(1, Math.max(0, (value - low) / width));
  if (scale === "log") return Math.log1p(t * 999) / Math.log(1000);
  if (scale === "gamma") return Math.sqrt(t);
  return t;
}

/** The value that has a share. */
export function value(t: number, low: number, high: number, scale: Scale): number {
  const width = high > low ? high - low : 1;
  if (scale === "log") return low + (width * Math.expm1(t * Math.log(1000))) / 999;
  if (scale === "gamma") return low + width * t * t;
  return low + width * t;
}

/** Levels that show most of a frame: between its 1 % and 99.9 % quantiles, or others that the server tells. */
export function autoLevels(
  quantiles: Record<string, number | null>,
  between: readonly [number, number] = [0.01, 0.999],
): [number, number] {
  const low = quantiles[String(between[0])] ?? quantiles["0"] ?? 0;
  const high = quantiles[String(between[1])] ?? quantiles["1"] ?? 1;
  return high > low ? [low, high] : [low, low + 1];
}

/** Even numbers between two, about so many: 1, 2 or 5 times a power of ten apart. */
export function ticks(low: number, high: number, about: number): number[] {
  if (!(high > low) || !Number.isFinite(high - low)) return [];
  const raw = (high - low) / Math.max(1, about);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 5, 10].find((m) => m * power >= raw) ?? 10) * power;
  const found: number[] = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) {
    found.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  }
  return found;
}

/** A number for people: as many digits as tell. */
export function words(number: number | null | undefined, digits = 5): string {
  if (number === null || number === undefined || !Number.isFinite(number)) return "–";
  const size = Math.abs(number);
  if (size !== 0 && (size >= 1e6 || size < 1e-4)) return number.toExponential(digits - 2);
  return String(Number(number.toPrecision(digits)));
}
