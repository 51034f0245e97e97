// The packets in which directories travel (fsutil): from bytes and back, by hand, because there is one for every file.
import { Buffer } from "node:buffer";
import type { FileEntry } from "../../../api/index.ts";
import { KilnError } from "../../../base/index.ts";
import { goMode, unixMode } from "./file-mode.ts";

export type Packet =
  /** The next entry; without one, the end of the list. */
  | { readonly type: "stat"; readonly entry: FileEntry | undefined }
  | { readonly type: "request"; readonly id: number }
  /** Without bytes, the end of the file. */
  | { readonly type: "data"; readonly id: number; readonly data: Uint8Array }
  | { readonly type: "fin" }
  | { readonly type: "error"; readonly message: string };

const types = { stat: 0, request: 1, data: 2, fin: 3, error: 4 } as const;

/** Longest error text that is taken over, in bytes. */
const maxErrorText = 16 * 1024;

/** What `decodeName` makes of bytes that are not UTF-8. */
const notText = /\p{Surrogate}/u;

/** The end of a list of entries. */
export const endOfList: Uint8Array = new Uint8Array(0);

export function encodeFin(): Uint8Array {
  return Uint8Array.of(0x08, types.fin);
}

export function encodeError(message: string): Uint8Array {
  const text = Buffer.from(message.slice(0, maxErrorText));
  const writer = new Writer(text.length + 16);
  writer.varint(0x08);
  writer.varint(types.error);
  writer.bytes(0x22, text);
  return writer.finish();
}

export function encodeRequest(id: number): Uint8Array {
  const writer = new Writer(16);
  writer.varint(0x08);
  writer.varint(types.request);
  writer.number(0x18, id);
  return writer.finish();
}

/** Without bytes, the end of the file. */
export function encodeData(id: number, data: Uint8Array): Uint8Array {
  const writer = new Writer(data.length + 24);
  startData(writer, id);
  if (data.length > 0) writer.bytes(0x22, data);
  return writer.finish();
}

/** What stands before `length` bytes, which are more than none: the rest of the packet. */
export function encodeDataHead(id: number, length: number): Uint8Array {
  const writer = new Writer(24);
  startData(writer, id);
  writer.varint(0x22);
  writer.varint(length);
  return writer.finish();
}

function startData(writer: Writer, id: number): void {
  writer.varint(0x08);
  writer.varint(types.data);
  writer.number(0x18, id);
}

export function encodeStat(entry: FileEntry): Uint8Array {
  const { path, mode, uid, gid, size, mtime, linkname = "", devMajor = 0, devMinor = 0 } = entry;
  // The other side would see other names, or refuse the packet without saying which.
  if (notText.test(path) || notText.test(linkname)) throw notUtf8(path);
  let room = 128;
  for (const [name, value] of entry.xattrs ?? []) room += name.length * 3 + value.length + 40;
  // A character takes at most three bytes in UTF-8; numbers at most ten each.
  const writer = new Writer((path.length + linkname.length) * 3 + room);
  writer.text(0x0a, path);
  writer.number(0x10, goMode(mode));
  writer.number(0x18, uid);
  writer.number(0x20, gid);
  writer.number(0x28, size);
  writer.bigint(0x30, mtime);
  if (linkname !== "") writer.text(0x3a, linkname);
  writer.number(0x40, devMajor);
  writer.number(0x48, devMinor);
  for (const [name, value] of entry.xattrs ?? []) writer.bytes(0x52, encodeXattr(name, value));
  const stat = writer.finish();
  const packet = new Writer(stat.length + 8);
  packet.bytes(0x12, stat);
  return packet.finish();
}

function encodeXattr(name: string, value: Uint8Array): Uint8Array {
  const writer = new Writer(name.length * 3 + value.length + 20);
  writer.text(0x0a, name);
  writer.bytes(0x12, value);
  return writer.finish();
}

/** Throws `REQUEST_INVALID` for what no packet looks like. */
export function decodePacket(bytes: Uint8Array): Packet {
  const reader = new Reader(bytes);
  let type = 0;
  let stat: Uint8Array | undefined;
  let id = 0;
  let data: Uint8Array = endOfList;
  while (!reader.atEnd) {
    const tag = reader.varint();
    if (tag === 0x08) type = reader.varint();
    else if (tag === 0x12) stat = reader.bytes();
    else if (tag === 0x18) id = reader.varint();
    else if (tag === 0x22) data = reader.bytes();
    else reader.skip(tag);
  }
  switch (type) {
    case types.stat:
      return { type: "stat", entry: stat && decodeStat(stat) };
    case types.request:
      return { type: "request", id };
    case types.data:
      return { type: "data", id, data };
    case types.fin:
      return { type: "fin" };
    case types.error:
      return { type: "error", message: textOf(data.subarray(0, maxErrorText)) };
    default:
      throw malformed(`unknown type ${type}`);
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function decodeStat(bytes: Uint8Array): FileEntry {
  const reader = new Reader(bytes);
  const entry: Mutable<FileEntry> = { path: "", mode: 0, uid: 0, gid: 0, size: 0, mtime: 0n };
  let mode = 0;
  let xattrs: Map<string, Uint8Array> | undefined;
  while (!reader.atEnd) {
    const tag = reader.varint();
    if (tag === 0x0a) entry.path = reader.text();
    else if (tag === 0x10) mode = reader.varint();
    else if (tag === 0x18) entry.uid = reader.varint() >>> 0;
    else if (tag === 0x20) entry.gid = reader.varint() >>> 0;
    else if (tag === 0x28) entry.size = reader.size();
    else if (tag === 0x30) entry.mtime = reader.bigint();
    else if (tag === 0x3a) entry.linkname = reader.text();
    else if (tag === 0x40) entry.devMajor = reader.varint();
    else if (tag === 0x48) entry.devMinor = reader.varint();
    else if (tag === 0x52) {
      xattrs ??= new Map();
      xattrs.set(...decodeXattr(reader.bytes()));
    } else reader.skip(tag);
  }
  if (xattrs) entry.xattrs = xattrs;
  entry.mode = unixMode(mode);
  if (entry.linkname === "") delete entry.linkname;
  return entry;
}

function decodeXattr(bytes: Uint8Array): [name: string, value: Uint8Array] {
  const reader = new Reader(bytes);
  let name = "";
  let value: Uint8Array = new Uint8Array();
  while (!reader.atEnd) {
    const tag = reader.varint();
    if (tag === 0x0a) name = reader.text();
    // A copy: the packet is not to be kept for it.
    else if (tag === 0x12) value = Uint8Array.from(reader.bytes());
    else reader.skip(tag);
  }
  return [name, value];
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
}

function malformed(why: string): KilnError {
  return new KilnError("REQUEST_INVALID", `malformed packet of files: ${why}`);
}

function notUtf8(path: string): KilnError {
  return new KilnError("UNSUPPORTED", `the name of ${JSON.stringify(path)} is not valid UTF-8`, {
    hint: "Rename the file: such names cannot be sent over a session.",
  });
}

class Writer {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(capacity: number) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#at++] = rest;
  }

  /** A field that is left out when it is 0. */
  number(tag: number, value: number): void {
    if (value === 0) return;
    this.#buffer[this.#at++] = tag;
    this.varint(value);
  }

  bigint(tag: number, value: bigint): void {
    if (value === 0n) return;
    this.#buffer[this.#at++] = tag;
    const whole = BigInt.asUintN(64, value);
    let low = Number(whole & 0xffffffffn);
    let high = Number(whole >> 32n);
    while (high > 0 || low >= 0x80) {
      this.#buffer[this.#at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.#buffer[this.#at++] = low;
  }

  bytes(tag: number, data: Uint8Array): void {
    this.#buffer[this.#at++] = tag;
    this.varint(data.length);
    this.#buffer.set(data, this.#at);
    this.#at += data.length;
  }

  text(tag: number, value: string): void {
    this.#buffer[this.#at++] = tag;
    this.varint(Buffer.byteLength(value));
    this.#at += this.#buffer.write(value, this.#at);
  }

  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#at);
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Of the low 53 bits; what is larger is not used by anything here. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw malformed("cut off");
      if (i < 7) value += (byte & 0x7f) * scale;
      scale *= 0x80;
      if (byte < 0x80) return value;
    }
    throw malformed("a number without end");
  }

  bigint(): bigint {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw malformed("cut off");
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= bits << 31;
      if (byte < 0x80) return BigInt.asIntN(64, (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0));
    }
    throw malformed("a number without end");
  }

  /** A size: negative ones and those beyond 2^53 are refused. */
  size(): number {
    const value = this.bigint();
    if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER))
      throw malformed(`an impossible size ${value}`);
    return Number(value);
  }

  bytes(): Uint8Array {
    const length = this.varint();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw malformed("cut off");
    const found = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return found;
  }

  text(): string {
    return textOf(this.bytes());
  }

  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.varint();
        return;
      case 1:
        this.#at += 8;
        break;
      case 2:
        this.bytes();
        return;
      case 5:
        this.#at += 4;
        break;
      default:
        throw malformed(`a field of an unknown kind ${tag}`);
    }
    if (this.#at > this.#bytes.length) throw malformed("cut off");
  }
}
