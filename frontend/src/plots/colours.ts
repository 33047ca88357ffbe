/** Colour maps that the colour-blind can read; 33 even steps of the originals (public domain), interpolated. */

const STEPS: Record<string, string> = {
  viridis:
    "440154460c6048186a482274472c7b4536814240863e49893a528b365b8d33638d2f6b8e2c728e297a8e26828e23898e20918c1f978b1e9f8821a68527ae8130b57b3dbc744bc26c5cc9636ece5881d44c95d83fabdc32c0df24d5e21aeae519fee724",
  cividis:
    "00224e00285b002d6a0432701a386f273e6e31436d3b496c434e6c4b546c53596d5a5f6e61656f686a716f70737676767d7c788381788b8778938d789a9376a29975aba073b3a670bbad6cc3b469ccbb64d5c25fddc958e6d051efd847f9df3cfee837",
  inferno:
    "0000030302120a0724140b37210c4a2e0a5a3c09654a0b6b570f6d64146e70196e7d1d6c8a226a972766a32b61b0315bbc3754c63d4dd14545db4e3ce35932eb6428f1711ef67e14fa8d09fc9b06fcaa0efcba1ef9ca32f6d949f2e965f3f586fdffa5",
  magma:
    "0000030303110a0722130d331c104628115a360f6b430f7651127c5d177f6a1c81762181832581902a819d2e7faa327db73779c23b75cf4070db476ae65064ef5b5ef5695cf9785cfc8761fe9668fea570ffb47bffc387fed194fee0a2fdefb0fcfdbf",
  grey: "000000ffffff",
  "grey reversed": "ffffff000000",
};

export const COLOUR_MAPS: readonly string[] = Object.keys(STEPS);

function steps(name: string): number[][] {
  const text = STEPS[name] ?? STEPS.viridis ?? "";
  const found: number[][] = [];
  for (let k = 0; k + 6 <= text.length; k += 6) {
    found.push([0, 2, 4].map((at) => Number.parseInt(text.slice(k + at, k + at + 2), 16)));
  }
  return found;
}

/** A map as `count` colours: red, green, blue, opaque. */
export function colourTable(name: string, count = 256): Uint8Array {
  const stops = steps(name);
  const table = new Uint8Array(count * 4);
  for (let k = 0; k < count; k += 1) {
    const at = (k / (count - 1)) * (stops.length - 1);
    const low = Math.min(stops.length - 2, Math.floor(at));
    const share = at - low;
    for (let c = 0; c < 3; c += 1) {
      const a = stops[low]?.[c] ?? 0;
      const b = stops[low + 1]?.[c] ?? 0;
      table[4 * k + c] = Math.round(a + (b - a) * share);
    }
    table[4 * k + 3] = 255;
  }
  return table;
}

/** Colours of curves (after Okabe and Ito), readable on light and dark; each has a dash of its own, too. */
export const CURVES: readonly { light: string; dark: string; dash: number[] }[] = [
  { light: "#0060a8", dark: "#56b4e9", dash: [] },
  { light: "#b34700", dark: "#f09a3e", dash: [8, 4] },
  { light: "#00734f", dark: "#2fc79a", dash: [2, 3] },
  { light: "#9c2f6f", dark: "#e79ac3", dash: [10, 3, 2, 3] },
  { light: "#6b5b00", dark: "#f0e442", dash: [4, 4] },
  { light: "#3d3d3d", dark: "#d5d9de", dash: [12, 5] },
];
