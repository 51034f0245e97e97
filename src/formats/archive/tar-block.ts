// One header block with the extensions that came before it, as an entry: ustar, pax, GNU, star and V7.
import { Buffer } from "node:buffer";
import { decodeName } from "../../base/index.ts";
import { type PaxRecords, parsePaxTime } from "./pax.ts";
import {
  blockSize,
  checksumOf,
  fields,
  invalidArchive,
  parseNumber,
  signedChecksumOf,
} from "./tar-format.ts";
import type { TarHeader, TarType } from "./tar-header.ts";
import { parseCount, paxSparseSize } from "./tar-sparse.ts";

const types: Readonly<Record<string, TarType>> = {
  "\0": "file",
  "0": "file",
  "7": "file",
  S: "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "char-device",
  "4": "block-device",
  "5": "directory",
  "6": "fifo",
};

/** What stands in front of a header: names too long for it, and pax records. */
export interface TarExtensions {
  longName?: Uint8Array;
  longLink?: Uint8Array;
  pax?: PaxRecords;
}

/** Throws unless the block's checksum is right, as unsigned or (old tars) signed sum. */
export function verifyChecksum(block: Uint8Array, at: number): void {
  const expected = parseNumber(block, at + fields.checksum[0], fields.checksum[1]);
  if (expected === checksumOf(block, at) || expected === signedChecksumOf(block, at)) return;
  throw invalidArchive("a header's checksum is wrong: not a tar archive, or damaged");
}

/** True when `start` begins with what can only be a tar header: its checksum is right. Needs 512 bytes. */
export function isTarHeader(start: Uint8Array): boolean {
  if (start.length < blockSize || isZeroBlock(start, 0)) return false;
  try {
    verifyChecksum(start, 0);
    return true;
  } catch {
    return false;
  }
}

/** The block's own size field, or the pax record's. What follows the header takes so many bytes. */
export function storedSize(block: Uint8Array, at: number, pax: PaxRecords | undefined): number {
  const size = pax?.get("size");
  const value =
    size === undefined
      ? parseNumber(block, at + fields.size[0], fields.size[1])
      : parseCount(textOf(size));
  if (value < 0) throw invalidArchive("a file has a negative size");
  return value;
}

/** The entry that the block and its extensions describe; `size` is the stored size unless a pax record knows better. */
export function parseHeader(
  block: Uint8Array,
  at: number,
  extensions: TarExtensions,
  size: number,
): TarHeader {
  const pax: PaxRecords = extensions.pax ?? new Map();
  const flag = String.fromCharCode(block[at + fields.typeflag[0]] ?? 0);
  const path = nameOf(block, at, extensions);
  const slashed = path.endsWith("/");
  const type = (flag === "0" || flag === "\0") && slashed ? "directory" : types[flag];
  if (type === undefined) throw invalidArchive(`unknown entry type ${JSON.stringify(flag)}`);
  const number = (field: readonly [number, number]) => parseNumber(block, at + field[0], field[1]);
  const linkname = linkOf(block, at, extensions);
  const isDevice = type === "char-device" || type === "block-device";
  const xattrs = xattrsOf(pax);
  return {
    path: slashed
      ? path.replace(/\/+$/, path.startsWith("/") && /^\/+$/.test(path) ? "/" : "")
      : path,
    type,
    mode: number(fields.mode) & 0o7777,
    uid: idOf(pax.get("uid"), number(fields.uid)),
    gid: idOf(pax.get("gid"), number(fields.gid)),
    size: type === "file" ? (paxSparseSize(pax) ?? size) : 0,
    mtime: timeOf(pax.get("mtime"), number(fields.mtime)),
    ...(type === "symlink" || type === "hardlink" ? { linkname } : {}),
    uname: ownerOf(pax.get("uname"), block, at, fields.uname),
    gname: ownerOf(pax.get("gname"), block, at, fields.gname),
    ...(isDevice ? { devMajor: number(fields.devMajor), devMinor: number(fields.devMinor) } : {}),
    ...(xattrs === undefined ? {} : { xattrs }),
  };
}

function nameOf(block: Uint8Array, at: number, extensions: TarExtensions): string {
  const pax = extensions.pax?.get("GNU.sparse.name") ?? extensions.pax?.get("path");
  if (pax !== undefined) return decodeName(pax);
  if (extensions.longName !== undefined) return decodeName(extensions.longName);
  const name = cstring(block, at, fields.name);
  if (!isUstar(block, at)) return decodeName(name);
  // Star keeps times behind a shorter prefix, and says so in the block's last bytes.
  const isStar = Buffer.from(block.subarray(at + 508, at + 512)).toString("latin1") === "tar\0";
  const prefix = cstring(block, at, [fields.prefix[0], isStar ? 131 : fields.prefix[1]]);
  return prefix.length === 0
    ? decodeName(name)
    : decodeName(Buffer.concat([prefix, Buffer.from("/"), name]));
}

function linkOf(block: Uint8Array, at: number, extensions: TarExtensions): string {
  const long = extensions.pax?.get("linkpath") ?? extensions.longLink;
  return decodeName(long ?? cstring(block, at, fields.linkname));
}

/** GNU's magic has blanks where POSIX has a NUL; only POSIX has the prefix field. */
function isUstar(block: Uint8Array, at: number): boolean {
  const magic = at + fields.magic[0];
  return block[magic] === 0x75 && block[magic + 4] === 0x72 && block[magic + 5] === 0;
}

function ownerOf(
  pax: Uint8Array | undefined,
  block: Uint8Array,
  at: number,
  field: readonly [number, number],
): string {
  return decodeName(pax ?? cstring(block, at, field));
}

function idOf(pax: Uint8Array | undefined, own: number): number {
  const id = pax === undefined ? own : parseCount(textOf(pax));
  // 2^32-1 is "unchanged" to chown.
  if (id < 0 || id > 0xfffffffe) throw invalidArchive(`owner ${id} is out of range`);
  return id;
}

function timeOf(pax: Uint8Array | undefined, own: number): bigint {
  if (pax === undefined) return BigInt(own) * 1_000_000_000n;
  const time = parsePaxTime(textOf(pax));
  if (time === undefined) throw invalidArchive("a pax time is malformed");
  return time;
}

function xattrsOf(pax: PaxRecords): Map<string, Uint8Array> | undefined {
  let found: Map<string, Uint8Array> | undefined;
  for (const [key, value] of pax) {
    if (!key.startsWith("SCHILY.xattr.")) continue;
    found ??= new Map();
    found.set(key.slice("SCHILY.xattr.".length), value);
  }
  return found;
}

function cstring(
  block: Uint8Array,
  at: number,
  [offset, length]: readonly [number, number],
): Uint8Array {
  const field = block.subarray(at + offset, at + offset + length);
  const end = field.indexOf(0);
  return end === -1 ? field : field.subarray(0, end);
}

function textOf(value: Uint8Array): string {
  return Buffer.from(value).toString();
}

/** True when the block holds zeros only: two of them end an archive. */
export function isZeroBlock(block: Uint8Array, at: number): boolean {
  if (block[at] !== 0) return false;
  for (let i = 0; i < blockSize; i++) if (block[at + i] !== 0) return false;
  return true;
}
