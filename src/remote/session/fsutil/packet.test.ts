// The hand-written packets are what the generated code reads and writes.
import fc from "fast-check";
import { expect, test } from "vitest";
import type { FileEntry } from "../../../api/index.ts";
import { concatBytes, goMode, unixMode } from "../../../base/index.ts";
import { fsutil } from "../../../formats/proto/index.ts";
import {
  decodePacket,
  encodeData,
  encodeDataHead,
  encodeError,
  encodeFin,
  encodeRequest,
  endOfList,
} from "./packet.ts";
import { decodeFilesRequest, encodeFilesRequest } from "./request.ts";
import { encodeStat } from "./stat.ts";

const modes = [0o100644, 0o104755, 0o040755, 0o041777, 0o120777, 0o010600, 0o020600, 0o060600];

const entries: fc.Arbitrary<FileEntry> = fc.record({
  path: fc.string({ unit: "grapheme", minLength: 1 }),
  mode: fc.constantFrom(...modes),
  uid: fc.nat(),
  gid: fc.nat(4_294_967_295),
  size: fc.maxSafeNat(),
  mtime: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
});

test("entries are read by the generated code, and read back", () => {
  fc.assert(
    fc.property(entries, (entry) => {
      const bytes = encodeStat(entry);
      const { type, stat } = fsutil.Packet.decode(bytes);
      expect(type).toBe(fsutil.Packet_PacketType.PACKET_STAT);
      expect(stat?.path).toBe(entry.path);
      expect(stat?.mode).toBe(goMode(entry.mode));
      expect([stat?.uid, stat?.gid, stat?.size]).toEqual([entry.uid, entry.gid, entry.size]);
      expect(BigInt(stat?.modTime ?? 0)).toBe(entry.mtime);
      expect(decodePacket(bytes)).toEqual({ type: "stat", entry });
    }),
  );
});

test("contents sent from where they lie look as those in one piece", () => {
  const data = new Uint8Array(70_000).fill(7);
  expect(concatBytes([encodeDataHead(9, data.length), data])).toEqual(
    new Uint8Array(encodeData(9, data)),
  );
});

test("other packets are read by the generated code, and read back", () => {
  const { PACKET_REQ, PACKET_DATA, PACKET_FIN, PACKET_ERR } = fsutil.Packet_PacketType;
  const data = Uint8Array.of(1, 2, 3);
  expect(fsutil.Packet.decode(encodeRequest(70_000))).toMatchObject({
    type: PACKET_REQ,
    ID: 70_000,
  });
  expect(fsutil.Packet.decode(encodeData(3, data)).type).toBe(PACKET_DATA);
  expect(fsutil.Packet.decode(encodeFin()).type).toBe(PACKET_FIN);
  expect(fsutil.Packet.decode(encodeError("words")).type).toBe(PACKET_ERR);
  expect(decodePacket(encodeRequest(70_000))).toEqual({ type: "request", id: 70_000 });
  expect(decodePacket(encodeData(3, endOfList))).toEqual({ type: "data", id: 3, data: endOfList });
  expect(decodePacket(encodeFin())).toEqual({ type: "fin" });
  expect(decodePacket(encodeError("wörds"))).toEqual({ type: "error", message: "wörds" });
  expect(decodePacket(endOfList)).toEqual({ type: "stat", entry: undefined });
});

test("fields that nobody knows are skipped", () => {
  const packet = encodeStat({ path: "a", mode: 0o100644, uid: 0, gid: 0, size: 0, mtime: 1n });
  const stat = packet.subarray(2);
  // Field 30 of both messages, as text.
  const unknown = Uint8Array.of(0xf2, 0x01, 0x01, 0x61);
  const inner = Uint8Array.of(...unknown, ...stat);
  const bytes = Uint8Array.of(...unknown, 0x12, inner.length, ...inner);
  expect(decodePacket(bytes)).toEqual(decodePacket(packet));
});

test("extended attributes travel as the reference sends them", () => {
  const xattrs = new Map([
    ["user.ä", Uint8Array.of(0, 1, 255)],
    ["security.capability", new Uint8Array(300).fill(7)],
    ["user.empty", new Uint8Array()],
  ]);
  const entry = { path: "a", mode: 0o100644, uid: 0, gid: 0, size: 0, mtime: 1n, xattrs };
  const known = fsutil.Packet.decode(encodeStat(entry)).stat;
  const asBytes = (map: ReadonlyMap<string, Uint8Array> | undefined) =>
    new Map([...(map ?? [])].map(([name, value]) => [name, Uint8Array.from(value)]));
  expect(asBytes(known?.xattrs)).toEqual(xattrs);
  const packet = fsutil.Packet.encode(fsutil.Packet.create({ stat: known })).finish();
  const read = decodePacket(packet);
  expect(read.type === "stat" && asBytes(read.entry?.xattrs)).toEqual(xattrs);
});

test("modes are Go's on the wire", () => {
  expect(goMode(0o040755)).toBe(2 ** 31 + 0o755);
  expect(goMode(0o104755)).toBe(2 ** 23 + 0o755);
  for (const mode of modes) expect(unixMode(goMode(mode))).toBe(mode);
  // What the kernel has no word for is nothing that anybody takes.
  expect(unixMode(2 ** 19 + 0o644) & 0o170000).toBe(0o140000);
});

test("a hostile packet is refused or read, and nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decodePacket(bytes);
      } catch (error) {
        expect(error).toMatchObject({ code: "REQUEST_INVALID" });
      }
    }),
    { numRuns: 2000 },
  );
  const bad = [
    Uint8Array.of(0x08, 0x09),
    Uint8Array.of(0x12, 0x7f),
    Uint8Array.of(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
  ];
  for (const bytes of bad) expect(() => decodePacket(bytes)).toThrow(/malformed/);
});

test("a size that is negative is refused", () => {
  const stat = { path: "a", size: -1 };
  const bytes = fsutil.Packet.encode(fsutil.Packet.create({ stat })).finish();
  expect(() => decodePacket(bytes)).toThrow(/impossible size/);
});

test("patterns go as they are, and escaped where headers cannot hold them", () => {
  const plain = { name: "context", filter: { exclude: ["a%20b", "*.c+"], followPaths: ["x"] } };
  const sent = encodeFilesRequest(plain);
  expect(sent.get("exclude-patterns")).toEqual(["a%20b", "*.c+"]);
  expect(sent.has("exclude-patterns-encoded")).toBe(false);
  expect(decodeFilesRequest(sent)).toEqual(plain);
  const other = { name: "контекст", filter: { include: ["ü b", "100%", "(a)!*'"] } };
  const escaped = encodeFilesRequest(other);
  expect(escaped.get("include-patterns-encoded")).toEqual(["1"]);
  expect(escaped.get("include-patterns")?.[0]).toBe("%C3%BC+b");
  expect(decodeFilesRequest(escaped)).toEqual(other);
});
