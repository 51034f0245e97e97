// Fields to header blocks (RFC 7541), by the static table and plain text only: no state, and nothing that a guesser could measure.
import { Buffer } from "node:buffer";
import type { Fields } from "../protocol.ts";
import { staticTable } from "./static-table.ts";

/** What no proxy may put into a table of its own either (RFC 7541, 7.1.3). */
const credentials = new Set(["authorization", "proxy-authorization", "cookie", "set-cookie"]);

/** First numbers of names, and of names with their values, in the static table. */
let numbers: ReadonlyMap<string, number> | undefined;

function numbersOfStaticTable(): ReadonlyMap<string, number> {
  const made = new Map<string, number>();
  staticTable.forEach(([name, value], index) => {
    if (!made.has(name)) made.set(name, index + 1);
    if (value !== "") made.set(`${name}\n${value}`, index + 1);
  });
  return made;
}

/** Says first that the table of numbered fields stays empty: what a peer hears that has made it smaller (RFC 7541, 4.2). */
export const emptyTable = 0x20;

/** Names and values must be of characters up to U+00FF. */
export function encodeFields(fields: Fields): Uint8Array {
  numbers ??= numbersOfStaticTable();
  // A name and a value have at most six bytes of length each.
  let room = 0;
  for (const text of fields) room += text.length + 6;
  const block = Buffer.allocUnsafe(room + fields.length);
  let at = 0;
  const text = (value: string) => {
    at = writeNumber(block, at, 0, 7, value.length);
    at += block.write(value, at, "latin1");
  };
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] as string;
    const value = fields[index + 1] as string;
    const whole = numbers.get(`${name}\n${value}`);
    if (whole !== undefined) {
      at = writeNumber(block, at, 0x80, 7, whole);
      continue;
    }
    const kind = credentials.has(name) ? 0x10 : 0;
    const number = numbers.get(name) ?? 0;
    at = writeNumber(block, at, kind, 4, number);
    if (number === 0) text(name);
    text(value);
  }
  return block.subarray(0, at);
}

/** Returns where the next byte goes. */
function writeNumber(
  block: Uint8Array,
  start: number,
  kind: number,
  bits: number,
  value: number,
): number {
  let at = start;
  const full = 2 ** bits - 1;
  if (value < full) {
    block[at++] = kind | value;
    return at;
  }
  block[at++] = kind | full;
  let rest = value - full;
  for (; rest >= 0x80; rest >>>= 7) block[at++] = (rest & 0x7f) | 0x80;
  block[at++] = rest;
  return at;
}
