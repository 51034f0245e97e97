// An entry of a directory in the packet in which it travels (fsutil's Stat): one for every file.
import type { FileEntry } from "../../../api/index.ts";
import { goMode, KilnError, unixMode } from "../../../base/index.ts";
import { Reader, Writer } from "./fields.ts";

/** The whole packet. */
export function encodeStat(entry: FileEntry, writer: Writer = new Writer()): Uint8Array {
  const { path, mode, uid, gid, size, mtime, linkname = "", devMajor = 0, devMinor = 0 } = entry;
  let room = 128;
  if (entry.xattrs)
    for (const [name, value] of entry.xattrs) room += name.length * 3 + value.length + 40;
  // A character takes at most three bytes in UTF-8; numbers at most ten each.
  writer.begin((path.length + linkname.length) * 3 + room);
  // The other side would see other names, or refuse the packet without saying which.
  if (!writer.text(0x0a, path)) throw notUtf8(path);
  writer.number(0x10, goMode(mode));
  writer.number(0x18, uid);
  writer.number(0x20, gid);
  writer.number(0x28, size);
  writer.bigint(0x30, mtime);
  if (linkname !== "" && !writer.text(0x3a, linkname)) throw notUtf8(path);
  writer.number(0x40, devMajor);
  writer.number(0x48, devMinor);
  if (entry.xattrs)
    for (const [name, value] of entry.xattrs) writer.bytes(0x52, encodeXattr(name, value));
  return writer.finishAsField(0x12);
}

function encodeXattr(name: string, value: Uint8Array): Uint8Array {
  const writer = new Writer();
  writer.begin(name.length * 3 + value.length + 20);
  writer.text(0x0a, name);
  writer.bytes(0x12, value);
  return writer.finish();
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Of the field with the entry. */
export function decodeStat(bytes: Uint8Array): FileEntry {
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

function notUtf8(path: string): KilnError {
  return new KilnError("UNSUPPORTED", `the name of ${JSON.stringify(path)} is not valid UTF-8`, {
    hint: "Rename the file: such names cannot be sent over a session.",
  });
}
