/**
 * Binary answers: `FLB1`, the length of a JSON header (uint32, little endian), the header, the arrays.
 * Arrays are views into the buffer that came; nothing is copied.
 */

export type NumberArray =
  | Float32Array
  | Float64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Int8Array
  | Int16Array
  | Int32Array;

export interface Payload<Header> {
  header: Header;
  arrays: Record<string, NumberArray>;
  shapes: Record<string, number[]>;
}

interface Described {
  name: string;
  dtype: string;
  shape: number[];
  offset: number;
  nbytes: number;
}

const MAGIC = 0x31424c46; // "FLB1"

const MAKERS: Record<string, (buffer: ArrayBuffer, offset: number, nbytes: number) => NumberArray> = {
  f4: (b, o, n) => new Float32Array(b, o, n / 4),
  f8: (b, o, n) => new Float64Array(b, o, n / 8),
  u1: (b, o, n) => new Uint8Array(b, o, n),
  u2: (b, o, n) => new Uint16Array(b, o, n / 2),
  u4: (b, o, n) => new Uint32Array(b, o, n / 4),
  i1: (b, o, n) => new Int8Array(b, o, n),
  i2: (b, o, n) => new Int16Array(b, o, n / 2),
  i4: (b, o, n) => new Int32Array(b, o, n / 4),
};

export class PayloadError extends Error {}

export function decode<Header>(buffer: ArrayBuffer): Payload<Header> {
  const words = new DataView(buffer);
  if (buffer.byteLength < 8 || words.getUint32(0, true) !== MAGIC) {
    throw new PayloadError("The server's answer is not what this page understands. Reload the page.");
  }
  const length = words.getUint32(4, true);
  if (8 + length > buffer.byteLength) throw new PayloadError("The server's answer ends too early.");
  const text = new TextDecoder().decode(new Uint8Array(buffer, 8, length));
  const header = JSON.parse(text) as Header & { arrays: Described[] };
  const arrays: Record<string, NumberArray> = {};
  const shapes: Record<string, number[]> = {};
  for (const part of header.arrays) {
    const make = MAKERS[part.dtype];
    if (make === undefined) throw new PayloadError(`Values of type ${part.dtype} cannot be shown here.`);
    const start = 8 + length + part.offset;
    if (start + part.nbytes > buffer.byteLength)
      throw new PayloadError("The server's answer ends too early.");
    arrays[part.name] = make(buffer, start, part.nbytes);
    shapes[part.name] = part.shape;
  }
  return { header, arrays, shapes };
}

/** The inverse, for tests. */
export function encode(
  header: object,
  arrays: Record<string, { dtype: string; shape: number[]; data: NumberArray }>,
) {
  const parts: Described[] = [];
  let offset = 0;
  for (const [name, { dtype, shape, data }] of Object.entries(arrays)) {
    parts.push({ name, dtype, shape, offset, nbytes: data.byteLength });
    offset += Math.ceil(data.byteLength / 8) * 8;
  }
  let text = JSON.stringify({ ...header, arrays: parts });
  while ((8 + new TextEncoder().encode(text).length) % 8) text += " ";
  const head = new TextEncoder().encode(text);
  const buffer = new ArrayBuffer(8 + head.length + offset);
  const words = new DataView(buffer);
  words.setUint32(0, MAGIC, true);
  words.setUint32(4, head.length, true);
  new Uint8Array(buffer, 8).set(head);
  for (const part of parts) {
    const data = arrays[part.name]?.data;
    if (data) {
      new Uint8Array(buffer, 8 + head.length + part.offset).set(
        new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      );
    }
  }
  return buffer;
}
