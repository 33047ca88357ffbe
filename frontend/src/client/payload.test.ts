import { expect, test } from "vitest";
import { decode, encode, PayloadError } from "./payload";

test("arrays are views into what came", () => {
  const buffer = encode(
    { index: 3, unit: "µm" },
    {
      image: { dtype: "u2", shape: [1, 3], data: Uint16Array.of(1, 2, 65535) },
      x: { dtype: "f8", shape: [2], data: Float64Array.of(0.5, Number.NaN) },
    },
  );
  const { header, arrays, shapes } = decode<{ index: number; unit: string }>(buffer);
  expect(header.index).toBe(3);
  expect(header.unit).toBe("µm");
  expect(Array.from(arrays.image ?? [])).toEqual([1, 2, 65535]);
  expect(Array.from(arrays.x ?? [])).toEqual([0.5, Number.NaN]);
  expect(arrays.image?.buffer).toBe(buffer);
  expect(shapes.image).toEqual([1, 3]);
});

test("what is cut short, foreign or unknown is refused in words", () => {
  const whole = encode({}, { x: { dtype: "f4", shape: [4], data: new Float32Array(4) } });
  for (let length = 0; length < whole.byteLength; length += 1) {
    expect(() => decode(whole.slice(0, length))).toThrow(PayloadError);
  }
  expect(() => decode(new ArrayBuffer(64))).toThrow(PayloadError);
  const odd = encode({}, { x: { dtype: "c16", shape: [1], data: new Uint8Array(16) } });
  expect(() => decode(odd)).toThrow("type c16");
});
