// Deterministic tar headers, byte for byte as Go's archive/tar writes them in its PAX format.
import { Buffer } from "node:buffer";
import { encodeName } from "../../base/index.ts";
import { encodePax, formatPaxTime } from "./pax.ts";
import { blockSize, checksumOf, fields, fitsOctal, writeOctal } from "./tar-format.ts";
import type { TarHeader, TarType } from "./tar-header.ts";

const typeflags: Readonly<Record<TarType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  "char-device": "3",
  "block-device": "4",
  directory: "5",
  fifo: "6",
};

/** The header blocks of one entry (a pax record first where ustar's fields do not hold it). Contents and `tarPadding` follow. */
export function encodeTarHeader(header: TarHeader): Uint8Array {
  const name = encodeName(
    header.type === "directory" && !header.path.endsWith("/") ? `${header.path}/` : header.path,
  );
  const records = paxRecordsOf(header, name);
  if (records.size === 0) return headerBlock(header, name);
  // Go prefers ustar's prefix field where the path is all that does not fit.
  const slash = records.size === 1 && records.has("path") ? prefixEnd(name) : undefined;
  if (slash !== undefined)
    return headerBlock(header, name.subarray(slash + 1), name.subarray(0, slash));
  const body = encodePax(records);
  const out = new Uint8Array(blockSize + body.length + tarPadding(body.length) + blockSize);
  out.set(paxBlock(name, body.length), 0);
  out.set(body, blockSize);
  out.set(headerBlock(header, name), out.length - blockSize);
  return out;
}

/** How many zero bytes follow contents of `size` bytes. */
export function tarPadding(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

/** The two zero blocks that end an archive. */
export const tarEnd: Uint8Array = new Uint8Array(2 * blockSize);

function paxRecordsOf(header: TarHeader, name: Uint8Array): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>();
  const text = (key: string, value: Uint8Array, limit: number) => {
    if (value.length > limit || !isAscii(value)) records.set(key, value);
  };
  const number = (key: string, value: number, length: number) => {
    if (!fitsOctal(value, length)) records.set(key, Buffer.from(`${value}`));
  };
  text("path", name, fields.name[1]);
  if (header.linkname !== undefined)
    text("linkpath", encodeName(header.linkname), fields.linkname[1]);
  if (header.uname !== undefined) text("uname", encodeName(header.uname), fields.uname[1]);
  if (header.gname !== undefined) text("gname", encodeName(header.gname), fields.gname[1]);
  number("uid", header.uid, fields.uid[1]);
  number("gid", header.gid, fields.gid[1]);
  number("size", header.size, fields.size[1]);
  if (
    header.mtime % 1_000_000_000n !== 0n ||
    !fitsOctal(secondsOf(header.mtime), fields.mtime[1])
  ) {
    records.set("mtime", Buffer.from(formatPaxTime(header.mtime)));
  }
  for (const [key, value] of header.xattrs ?? []) records.set(`SCHILY.xattr.${key}`, value);
  return records;
}

/** Where to cut a path in two so that the halves fit ustar's prefix and name fields: at the last slash that allows it. */
function prefixEnd(name: Uint8Array): number | undefined {
  if (!isAscii(name)) return undefined;
  const [, nameLength] = fields.name;
  const [, prefixLength] = fields.prefix;
  // A directory's own slash is no place to cut.
  const slash = name.lastIndexOf(0x2f, Math.min(prefixLength, name.length - 2));
  return slash > 0 && name.length - slash - 1 <= nameLength ? slash : undefined;
}

function headerBlock(header: TarHeader, name: Uint8Array, prefix?: Uint8Array): Uint8Array {
  const block = new Uint8Array(blockSize);
  if (prefix !== undefined) block.set(prefix, fields.prefix[0]);
  writeName(block, fields.name, name);
  if (header.linkname !== undefined) writeName(block, fields.linkname, encodeName(header.linkname));
  if (header.uname !== undefined) writeName(block, fields.uname, encodeName(header.uname));
  if (header.gname !== undefined) writeName(block, fields.gname, encodeName(header.gname));
  writeOctal(block, ...fields.mode, header.mode);
  writeOctal(block, ...fields.uid, header.uid);
  writeOctal(block, ...fields.gid, header.gid);
  writeOctal(block, ...fields.size, header.size);
  writeOctal(block, ...fields.mtime, secondsOf(header.mtime));
  writeOctal(block, ...fields.devMajor, header.devMajor ?? 0);
  writeOctal(block, ...fields.devMinor, header.devMinor ?? 0);
  finish(block, typeflags[header.type]);
  return block;
}

/** The header in front of a pax record; Go leaves everything but name and size zero. */
function paxBlock(name: Uint8Array, size: number): Uint8Array {
  const block = new Uint8Array(blockSize);
  const path = Buffer.from(name).toString("latin1");
  const slash = path.lastIndexOf("/");
  const pax = cleanPath(`${path.slice(0, slash + 1)}PaxHeaders.0/${path.slice(slash + 1)}`);
  const ascii = Buffer.from(pax, "latin1").filter((byte) => byte < 0x80 && byte !== 0);
  writeName(block, fields.name, trimSlashes(ascii.subarray(0, fields.name[1])));
  for (const field of [fields.mode, fields.uid, fields.gid, fields.mtime])
    writeOctal(block, ...field, 0);
  writeOctal(block, ...fields.size, size);
  finish(block, "x");
  return block;
}

function trimSlashes(name: Uint8Array): Uint8Array {
  let end = name.length;
  while (end > 0 && name[end - 1] === 0x2f) end--;
  return name.subarray(0, end);
}

/** Go's path.Join cleans what it joins. */
function cleanPath(path: string): string {
  const out: string[] = [];
  const rooted = path.startsWith("/");
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") out.push(part);
    else if (out.length > 0 && out.at(-1) !== "..") out.pop();
    else if (!rooted) out.push(part);
  }
  return (rooted ? "/" : "") + out.join("/");
}

function writeName(
  block: Uint8Array,
  [at, length]: readonly [number, number],
  name: Uint8Array,
): void {
  const ascii = isAscii(name) ? name : name.filter((byte) => byte < 0x80 && byte !== 0);
  block.set(ascii.subarray(0, length), at);
  // A cut name must not end in a slash: old readers would take the file for a directory.
  if (ascii.length > length && ascii[length - 1] === 0x2f) {
    let end = length - 1;
    while (end > 0 && ascii[end - 1] === 0x2f) end--;
    block[at + end] = 0;
  }
}

function finish(block: Uint8Array, typeflag: string): void {
  block[fields.typeflag[0]] = typeflag.charCodeAt(0);
  block.set(Buffer.from("ustar\x0000"), fields.magic[0]);
  const [at, length] = fields.checksum;
  writeOctal(block, at, length - 1, checksumOf(block, 0));
  block[at + length - 1] = 0x20;
}

/** Whole seconds, rounded down. */
function secondsOf(nanoseconds: bigint): number {
  const rest = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return Number((nanoseconds - rest) / 1_000_000_000n);
}

function isAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    if (byte > 0x7f || byte === 0) return false;
  }
  return true;
}
