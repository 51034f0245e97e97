// The ustar header block: where its fields are, how numbers lie in them, and its checksum (POSIX pax, "ustar Interchange Format").
import { KilnError } from "../../base/index.ts";

export const blockSize: number = 512;

/** Offset and length of a field. */
export type Field = readonly [at: number, length: number];

type FieldName =
  | "name"
  | "mode"
  | "uid"
  | "gid"
  | "size"
  | "mtime"
  | "checksum"
  | "typeflag"
  | "linkname"
  | "magic"
  | "uname"
  | "gname"
  | "devMajor"
  | "devMinor"
  | "prefix";

/** Where each field is. */
export const fields: Readonly<Record<FieldName, Field>> = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  typeflag: [156, 1],
  linkname: [157, 100],
  magic: [257, 8],
  uname: [265, 32],
  gname: [297, 32],
  devMajor: [329, 8],
  devMinor: [337, 8],
  prefix: [345, 155],
};

/** The error for an archive that is not what the formats say. */
export function invalidArchive(problem: string): KilnError {
  return new KilnError("ARCHIVE_INVALID", `tar archive: ${problem}`);
}

/** Sum of the block's bytes with the checksum field taken as spaces. */
export function checksumOf(block: Uint8Array, at: number): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < 148; i++) sum += block[at + i] ?? 0;
  for (let i = 156; i < blockSize; i++) sum += block[at + i] ?? 0;
  return sum;
}

/** As old tars summed: bytes as signed. */
export function signedChecksumOf(block: Uint8Array, at: number): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < blockSize; i++) {
    if (i >= 148 && i < 156) continue;
    const byte = block[at + i] ?? 0;
    sum += byte > 127 ? byte - 256 : byte;
  }
  return sum;
}

/** Reads an octal or base-256 number field. Throws `ARCHIVE_INVALID` when it is neither, or too large to count with. */
export function parseNumber(block: Uint8Array, at: number, length: number): number {
  const first = block[at] ?? 0;
  if ((first & 0x80) !== 0) return parseBase256(block, at, length);
  let from = at;
  let to = at + length;
  while (from < to && isBlank(block[from])) from++;
  while (to > from && isBlank(block[to - 1])) to--;
  let value = 0;
  for (let i = from; i < to; i++) {
    const byte = block[i] ?? 0;
    if (byte === 0) break;
    if (byte < 0x30 || byte > 0x37) throw invalidArchive("a number field is not octal");
    value = value * 8 + (byte - 0x30);
  }
  return value;
}

function parseBase256(block: Uint8Array, at: number, length: number): number {
  const first = block[at] ?? 0;
  const negative = (first & 0x40) !== 0;
  let value = BigInt(first & 0x7f);
  if (negative) value -= 0x80n;
  for (let i = 1; i < length; i++) value = value * 256n + BigInt(block[at + i] ?? 0);
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw invalidArchive("a number field is out of range");
  return number;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0;
}

/** Writes `value` in octal, zero-padded, with a NUL at the end; as zero where it does not fit, as Go does beside a pax record. */
export function writeOctal(block: Uint8Array, at: number, length: number, value: number): void {
  const fits = value >= 0 && value < 8 ** (length - 1);
  const digits = (fits ? value : 0).toString(8).padStart(length - 1, "0");
  for (let i = 0; i < digits.length; i++) block[at + i] = digits.charCodeAt(i);
}

/** True when `value` fits an octal field of that length. */
export function fitsOctal(value: number, length: number): boolean {
  return value >= 0 && value < 8 ** (length - 1);
}
