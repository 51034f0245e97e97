// The packets in which directories travel (fsutil): from bytes and back, by hand, because there is one for every file.
import { Buffer } from "node:buffer";
import type { FileEntry } from "../../../api/index.ts";
import { malformed, Reader, Writer } from "./fields.ts";
import { decodeStat } from "./stat.ts";

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

/** The end of a list of entries. */
export const endOfList: Uint8Array = new Uint8Array(0);

export function encodeFin(): Uint8Array {
  return Uint8Array.of(0x08, types.fin);
}

export function encodeError(message: string): Uint8Array {
  const text = Buffer.from(message.slice(0, maxErrorText));
  const writer = new Writer();
  writer.begin(text.length + 16);
  writer.number(0x08, types.error);
  writer.bytes(0x22, text);
  return writer.finish();
}

export function encodeRequest(id: number, writer: Writer = new Writer()): Uint8Array {
  writer.begin(16);
  writer.number(0x08, types.request);
  writer.number(0x18, id);
  return writer.finish();
}

/** Without bytes, the end of the file. */
export function encodeData(
  id: number,
  data: Uint8Array,
  writer: Writer = new Writer(),
): Uint8Array {
  startData(id, data.length, writer);
  if (data.length > 0) writer.bytes(0x22, data);
  return writer.finish();
}

/** What stands before `length` bytes, which are more than none: the rest of the packet. */
export function encodeDataHead(id: number, length: number): Uint8Array {
  const writer = new Writer();
  startData(id, 0, writer);
  writer.number(0x22, length);
  return writer.finish();
}

function startData(id: number, length: number, writer: Writer): void {
  writer.begin(length + 24);
  writer.number(0x08, types.data);
  writer.number(0x18, id);
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
      return { type: "error", message: Buffer.from(data.subarray(0, maxErrorText)).toString() };
    default:
      throw malformed(`unknown type ${type}`);
  }
}
