// Pax extended records: `LENGTH KEY=VALUE\n`, values binary (POSIX pax, "pax Extended Header").
import { Buffer } from "node:buffer";
import { invalidArchive } from "./tar-format.ts";

const sparseMap = "GNU.sparse.map";

/** Key to raw value, last one wins; the repeated records of GNU's sparse format 0.0 are gathered as format 0.1's map. */
export type PaxRecords = Map<string, Uint8Array>;

/** Parses the body of an extended header. Lengths decide, so values may hold newlines and NULs. */
export function parsePax(body: Uint8Array): PaxRecords {
  const records: PaxRecords = new Map();
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at);
    if (space === -1 || space - at > 10) throw invalidArchive("a pax record has no length");
    const length = parseDecimal(body, at, space);
    const end = at + length;
    if (end > body.length || end <= space + 1 || body[end - 1] !== 0x0a) {
      throw invalidArchive("a pax record has a wrong length");
    }
    const equals = body.indexOf(0x3d, space + 1);
    if (equals === -1 || equals >= end || equals === space + 1)
      throw invalidArchive("a pax record has no key");
    const key = Buffer.from(
      body.buffer,
      body.byteOffset + space + 1,
      equals - space - 1,
    ).toString();
    // A copy, also of a Buffer: values outlive the archive's chunks.
    const value = Uint8Array.from(body.subarray(equals + 1, end - 1));
    if (key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes") pieces.push(value);
    else records.set(key, value);
    at = end;
  }
  if (pieces.length > 0)
    records.set(sparseMap, Buffer.from(pieces.map((piece) => Buffer.from(piece)).join(",")));
  return records;
}

function parseDecimal(body: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) {
    const byte = body[at] ?? 0;
    if (byte < 0x30 || byte > 0x39) throw invalidArchive("a pax record has no length");
    value = value * 10 + byte - 0x30;
  }
  return value;
}

/** The body of an extended header, records sorted by key as Go sorts them. */
export function encodePax(records: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const keys = [...records.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const parts: Uint8Array[] = [];
  for (const key of keys) {
    const value = records.get(key) ?? new Uint8Array();
    const keyBytes = Buffer.from(key);
    // The length counts its own digits.
    const rest = keyBytes.length + value.length + 3;
    let length = rest + `${rest}`.length;
    if (`${length}`.length !== `${rest}`.length) length = rest + `${length}`.length;
    parts.push(Buffer.from(`${length} `), keyBytes, Buffer.from("="), value, Buffer.from("\n"));
  }
  return Buffer.concat(parts);
}

/** `1700000000.123456789` to nanoseconds; undefined when malformed. More than nine digits of fraction are cut. */
export function parsePaxTime(text: string): bigint | undefined {
  const match = /^(-?)(\d{1,18})(?:\.(\d*))?$/.exec(text);
  if (!match) return undefined;
  const fraction = BigInt((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  const nanoseconds = BigInt(match[2] ?? "0") * 1_000_000_000n + fraction;
  return match[1] === "-" ? -nanoseconds : nanoseconds;
}

/** Nanoseconds as pax writes them, without trailing zeros. */
export function formatPaxTime(nanoseconds: bigint): string {
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const fraction = `${size % 1_000_000_000n}`.padStart(9, "0").replace(/0+$/, "");
  return `${nanoseconds < 0n ? "-" : ""}${size / 1_000_000_000n}${fraction === "" ? "" : `.${fraction}`}`;
}
