// eStargz (containerd/stargz-snapshotter, docs/estargz.md): gzip in which every file begins a member, with a table behind it.
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import {
  type Bytes,
  bytesOf,
  concatBytes,
  type Digest,
  digestOf,
  readAll,
  sortedRecord,
} from "../../base/index.ts";
import { gzip } from "./gzip.ts";
import { splitTar, type TarPiece } from "./split-tar.ts";
import type { TarHeader } from "./tar-header.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "./tar-writer.ts";

export interface EstargzOptions {
  /** 1 (fast) to 9 (small); 6 where absent. */
  readonly level?: number;
  /** True, asked before each member, leaves most of the processors to others. */
  readonly atLeisure?: () => boolean;
}

/** What is known of the blob when all of it has been read. */
export interface EstargzFacts {
  /** Of the uncompressed stream, table and all: the layer's diff ID. */
  readonly diffId: Digest;
  readonly tocDigest: Digest;
  readonly uncompressedSize: number;
}

export interface Estargz {
  readonly data: Bytes;
  /** Throws before `data` has been read to its end. */
  facts(): EstargzFacts;
}

/** Larger files are several members, so that parts of them can be fetched. */
const chunkLength = 4 * 1024 * 1024;
/** Members under way at once. */
const ahead = 8;
const tocName = "stargz.index.json";

interface Entry {
  readonly json: Record<string, unknown>;
  /** The member it is in; undefined for what has no contents. */
  readonly member?: number;
}

/**
 * The tar, byte for byte, and after its end the table. The bytes depend on the tar and the level only. Throws what
 * reading a damaged tar throws.
 */
export function estargz(tar: Bytes, options: EstargzOptions = {}): Estargz {
  let facts: EstargzFacts | undefined;
  const level = options.level ?? 6;
  async function* data(): Bytes {
    const writer = new MemberWriter(level, options.atLeisure ?? (() => false));
    const entries: Entry[] = [];
    for await (const piece of splitTar(tar, chunkLength)) {
      if (piece.header) entries.push({ json: describe(piece.header) });
      if (piece.data) {
        writer.next();
        addChunk(entries, piece, piece.data, writer.index);
      }
      writer.add(piece.raw);
      yield* writer.settled(false);
    }
    writer.next();
    yield* writer.settled(true);
    const toc = encodeToc(entries, writer.offsets);
    const offset = writer.written;
    writer.add(tocEntry(toc));
    writer.next();
    yield* writer.settled(true);
    yield footer(offset);
    facts = {
      diffId: writer.diffId(),
      tocDigest: digestOf(toc),
      uncompressedSize: writer.uncompressed,
    };
  }
  return {
    data: data(),
    facts() {
      if (!facts) throw new Error("the blob has not been read to its end");
      return facts;
    },
  };
}

/** Packs members side by side and gives them in order. */
class MemberWriter {
  /** Where each member begins. */
  readonly offsets: number[] = [];
  written = 0;
  uncompressed = 0;
  /** Of the member that is being filled. */
  index = 0;
  #parts: Uint8Array[] = [];
  readonly #running: Promise<Uint8Array>[] = [];
  readonly #hash = createHash("sha256");
  readonly #level: number;
  readonly #atLeisure: () => boolean;

  constructor(level: number, atLeisure: () => boolean) {
    this.#level = level;
    this.#atLeisure = atLeisure;
  }

  add(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.uncompressed += bytes.length;
    // A copy: whoever made the tar may use its memory again.
    if (bytes.length > 0) this.#parts.push(bytes.slice());
  }

  /** What is added from now on is in another member. */
  next(): void {
    if (this.#parts.length === 0) return;
    const packing = pack(concatBytes(this.#parts), this.#level);
    packing.catch(() => {});
    this.#running.push(packing);
    this.#parts = [];
    this.index++;
  }

  async *settled(all: boolean): Bytes {
    const limit = all || this.#atLeisure() ? 0 : ahead;
    while (this.#running.length > limit) {
      const member = (await this.#running.shift()) as Uint8Array;
      this.offsets.push(this.written);
      this.written += member.length;
      yield member;
    }
  }

  diffId(): Digest {
    return `sha256:${this.#hash.digest("hex")}` as Digest;
  }
}

async function pack(bytes: Uint8Array, level: number): Promise<Uint8Array> {
  return await readAll(gzip(bytesOf(bytes), { level }), Number.MAX_SAFE_INTEGER, "member");
}

const types: Readonly<Record<TarHeader["type"], string>> = {
  file: "reg",
  directory: "dir",
  symlink: "symlink",
  hardlink: "hardlink",
  "char-device": "char",
  "block-device": "block",
  fifo: "fifo",
};

/** Members in the order of the reference's TOCEntry. */
function describe(header: TarHeader): Record<string, unknown> {
  const { path, type, size, mtime, linkname, mode, uid, gid, uname, gname, xattrs } = header;
  const name = path.replace(/^(\.?\/)+/, "");
  const seconds = Number(mtime / 1_000_000_000n);
  return {
    name: type === "directory" && name !== "" ? `${name}/` : name,
    type: types[type],
    ...(size > 0 ? { size } : {}),
    ...(seconds === 0
      ? {}
      : { modtime: new Date(seconds * 1000).toISOString().replace(".000Z", "Z") }),
    ...(linkname ? { linkName: linkname } : {}),
    mode,
    ...(uid === 0 ? {} : { uid }),
    ...(gid === 0 ? {} : { gid }),
    ...(uname ? { userName: uname } : {}),
    ...(gname ? { groupName: gname } : {}),
    ...(header.devMajor ? { devMajor: header.devMajor } : {}),
    ...(header.devMinor ? { devMinor: header.devMinor } : {}),
    ...(xattrs && xattrs.size > 0
      ? {
          xattrs: sortedRecord(
            Object.fromEntries(
              [...xattrs].map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
            ),
          ),
        }
      : {}),
  };
}

/** The first chunk completes the file's own entry, others have their own; the last one completes the digest. */
function addChunk(
  entries: Entry[],
  { offset, whole, digest, file }: TarPiece,
  data: Uint8Array,
  member: number,
): void {
  const first = offset === 0;
  const own = first
    ? (entries.pop() as Entry).json
    : { name: file.path.replace(/^(\.?\/)+/, ""), type: "chunk" };
  const last = offset + data.length === whole;
  entries.push({
    member,
    json: {
      ...own,
      ...(first ? {} : { chunkOffset: offset }),
      ...(last ? {} : { chunkSize: data.length }),
      chunkDigest: digestOf(data),
    },
  });
  if (!digest) return;
  const begin = entries.findLast(({ json }) => json["type"] === "reg");
  if (begin) begin.json["digest"] = digest;
}

function encodeToc(entries: readonly Entry[], offsets: readonly number[]): Uint8Array {
  const listed = entries.map(({ json, member }) =>
    member === undefined ? json : { ...json, offset: offsets[member] },
  );
  return new TextEncoder().encode(JSON.stringify({ version: 1, entries: listed }, undefined, "\t"));
}

function tocEntry(toc: Uint8Array): Uint8Array {
  const size = toc.length;
  const header = { path: tocName, type: "file", mode: 0, uid: 0, gid: 0, size, mtime: 0n } as const;
  return concatBytes([encodeTarHeader(header), toc, tarEnd.subarray(0, tarPadding(size)), tarEnd]);
}

/** An empty gzip member that says where the table begins (51 bytes). */
function footer(offset: number): Uint8Array {
  const extra = new TextEncoder().encode(`${offset.toString(16).padStart(16, "0")}STARGZ`);
  return Uint8Array.from([
    ...[0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255],
    ...[extra.length + 4, 0, 0x53, 0x47, extra.length, 0],
    ...extra,
    ...[1, 0, 0, 0xff, 0xff],
    ...[0, 0, 0, 0, 0, 0, 0, 0],
  ]);
}
