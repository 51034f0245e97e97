// File names as strings without losing bytes: what is not UTF-8 becomes lone surrogates, as Python's surrogateescape does.
import { Buffer } from "node:buffer";

const loneSurrogate = /\p{Surrogate}/u;

/** The name as a string; every byte that is not part of valid UTF-8 becomes U+DC00 + byte. */
export function decodeName(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  return text.includes("\ufffd") ? decodeLossless(bytes) : text;
}

/** The bytes that `decodeName` was given. */
export function encodeName(name: string): Uint8Array {
  if (!loneSurrogate.test(name)) return Buffer.from(name);
  const parts: Buffer[] = [];
  for (const char of name) {
    const code = char.charCodeAt(0);
    const escaped = char.length === 1 && code >= 0xdc80 && code <= 0xdcff;
    parts.push(escaped ? Buffer.of(code - 0xdc00) : Buffer.from(char));
  }
  return Buffer.concat(parts);
}

/** The name in the form that `node:fs` needs to reach that very file. */
export function fsPath(name: string): string | Buffer {
  return loneSurrogate.test(name) ? (encodeName(name) as Buffer) : name;
}

/** Orders names by their bytes, as Go sorts strings. */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left === right) continue;
    // UTF-16 and UTF-8 order differ only where surrogates are involved.
    if (left < 0xd800 || right < 0xd800) return left - right;
    return Buffer.compare(encodeName(a), encodeName(b));
  }
  return a.length - b.length;
}

function decodeLossless(bytes: Uint8Array): string {
  let out = "";
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length === 0) {
      out += String.fromCharCode(0xdc00 + (bytes[at] ?? 0));
      at++;
    } else {
      out += Buffer.from(bytes.subarray(at, at + length)).toString();
      at += length;
    }
  }
  return out;
}

/** Length of the valid UTF-8 sequence at `at` (Unicode table 3-7), 0 where there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const second = bytes[at + 1] ?? 0;
  if (first >= 0xc2 && first <= 0xdf) return isTail(second) ? 2 : 0;
  if (!isTail(bytes[at + 2] ?? 0)) return 0;
  if (first >= 0xe0 && first <= 0xef) {
    const low = first === 0xe0 ? 0xa0 : 0x80;
    const high = first === 0xed ? 0x9f : 0xbf;
    return second >= low && second <= high ? 3 : 0;
  }
  if (first < 0xf0 || first > 0xf4 || !isTail(bytes[at + 3] ?? 0)) return 0;
  const low = first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xf4 ? 0x8f : 0xbf;
  return second >= low && second <= high ? 4 : 0;
}

function isTail(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}
