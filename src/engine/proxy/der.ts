// DER (ITU-T X.690), as far as writing certificates needs it: nothing here reads any.

/** One element: its tag, the length, and what is in it one after the other. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const size = contents.reduce((sum, { length }) => sum + length, 0);
  const head = [tag, ...lengthOf(size)];
  const out = new Uint8Array(head.length + size);
  out.set(head);
  let at = head.length;
  for (const one of contents) {
    out.set(one, at);
    at += one.length;
  }
  return out;
}

export const sequence = (...contents: readonly Uint8Array[]): Uint8Array =>
  element(0x30, ...contents);

export const set = (...contents: readonly Uint8Array[]): Uint8Array => element(0x31, ...contents);

export const octets = (...contents: readonly Uint8Array[]): Uint8Array =>
  element(0x04, ...contents);

export const boolean = (value: boolean): Uint8Array =>
  element(0x01, Uint8Array.of(value ? 255 : 0));

/** A number of one byte below 128, or the magnitude of a positive one with its highest bit first. */
export function integer(value: number | Uint8Array): Uint8Array {
  if (typeof value === "number") return element(0x02, Uint8Array.of(value));
  const first = value.findIndex((byte) => byte !== 0);
  const digits = first === -1 ? Uint8Array.of(0) : value.subarray(first);
  // A leading one would be a sign.
  return (digits[0] ?? 0) > 127 ? element(0x02, Uint8Array.of(0), digits) : element(0x02, digits);
}

/** Whole bytes of bits, or the first `count` bits of one byte. */
export function bits(data: Uint8Array, count: number = data.length * 8): Uint8Array {
  return element(0x03, Uint8Array.of(data.length * 8 - count), data);
}

export const utf8 = (text: string): Uint8Array => element(0x0c, new TextEncoder().encode(text));

/** An object identifier such as `2.5.29.17`. */
export function oid(text: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  return element(0x06, Uint8Array.from([first * 40 + second, ...rest].flatMap(base128)));
}

/** To the second; in the form that RFC 5280, 4.1.2.5 asks for. */
export function time(date: Date): Uint8Array {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, "");
  const short = date.getUTCFullYear() < 2050;
  return element(short ? 0x17 : 0x18, new TextEncoder().encode(short ? digits.slice(2) : digits));
}

function base128(value: number): readonly number[] {
  const digits = [value & 127];
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) digits.unshift((rest & 127) | 128);
  return digits;
}

function lengthOf(size: number): readonly number[] {
  if (size < 128) return [size];
  const bytes: number[] = [];
  for (let rest = size; rest > 0; rest >>>= 8) bytes.unshift(rest & 255);
  return [128 | bytes.length, ...bytes];
}
