// A tar cut at its entries without losing a byte: for formats that pack each file by itself.
import { createHash } from "node:crypto";
import { type Bytes, concatBytes, type Digest, KilnError } from "../../base/index.ts";
import type { TarHeader } from "./tar-header.ts";
import { createTarParser } from "./tar-reader.ts";

/** A piece of the archive; all `raw` together are the archive. */
export interface TarPiece {
  readonly raw: Uint8Array;
  /** Set where the piece is an entry's header, with the extension headers before it. */
  readonly header?: TarHeader;
  /** Set where the piece is a part of a regular file's contents; then it is the same bytes as `raw`. */
  readonly data?: Uint8Array;
  /** The file that `data` is of, where in it, and of how many bytes. */
  readonly file: TarHeader;
  readonly offset: number;
  readonly whole: number;
  /** Of the file's contents, with its last piece. */
  readonly digest?: Digest;
}

const block = 512;
/** Headers of extensions: pax for one entry and for all, GNU's long names and link names. */
const extensions = new Set(["x", "g", "L", "K"]);
/** Largest extension header. */
const maxExtension = 1024 * 1024;

/** Contents come in pieces of `chunk` bytes. Throws `ARCHIVE_INVALID` for damage; sparse files keep their stored form. */
export async function* splitTar(tar: Bytes, chunk: number): AsyncIterable<TarPiece> {
  const source = new Source(tar);
  const headers: TarHeader[] = [];
  const parser = createTarParser({ entry: (one) => void headers.push(one), data() {}, end() {} });
  let pending: Uint8Array[] = [];
  for (let head = await source.take(block); head.length > 0; head = await source.take(block)) {
    const type = String.fromCharCode(head[156] ?? 0);
    if (head.length < block || head.every((byte) => byte === 0)) {
      yield rest(concatBytes([...pending, head]));
      pending = [];
      continue;
    }
    const stored = storedSize(head);
    if (extensions.has(type)) {
      if (stored > maxExtension) throw damaged("an extension header is too large");
      const body = await source.take(padded(stored));
      parser.push(head);
      parser.push(body);
      pending.push(head, body);
      continue;
    }
    parser.push(head);
    const header = headers.pop();
    const raw = concatBytes([...pending, head]);
    pending = [];
    // Global headers stand for themselves.
    if (!header) {
      yield rest(raw);
      continue;
    }
    const size = sizeOf(header, stored);
    yield { raw, header, file: header, offset: 0, whole: 0 };
    yield* contents(source, header, size, chunk, parser);
  }
  if (pending.length > 0) yield rest(concatBytes(pending));
}

async function* contents(
  source: Source,
  file: TarHeader,
  size: number,
  chunk: number,
  parser: { push(bytes: Uint8Array): void },
): AsyncIterable<TarPiece> {
  const hash = createHash("sha256");
  for (let offset = 0; offset < size; ) {
    const data = await source.take(Math.min(chunk, size - offset));
    if (data.length === 0) throw damaged("it ends within a file");
    parser.push(data);
    hash.update(data);
    const last = offset + data.length === size;
    const digest = last ? (`sha256:${hash.digest("hex")}` as Digest) : undefined;
    yield { raw: data, data, file, offset, whole: size, ...(digest ? { digest } : {}) };
    offset += data.length;
  }
  const padding = await source.take(padded(size) - size);
  parser.push(padding);
  if (padding.length > 0) yield rest(padding);
}

/** Bytes of an entry that are in the archive: a pax header may say more than the header has room for. */
function sizeOf(header: TarHeader, stored: number): number {
  return header.type === "file" ? Math.max(header.size, stored) : stored;
}

/** Octal, or binary where the first bit is set. */
function storedSize(head: Uint8Array): number {
  const field = head.subarray(124, 136);
  if (((field[0] ?? 0) & 0x80) !== 0)
    return field.subarray(4).reduce((value, byte) => value * 256 + byte, 0);
  return Number.parseInt(new TextDecoder().decode(field).replace(/[^0-7].*$/s, "") || "0", 8);
}

function padded(size: number): number {
  return Math.ceil(size / block) * block;
}

const nobody: TarHeader = { path: "", type: "file", mode: 0, uid: 0, gid: 0, size: 0, mtime: 0n };

function rest(raw: Uint8Array): TarPiece {
  return { raw, file: nobody, offset: 0, whole: 0 };
}

function damaged(why: string): KilnError {
  return new KilnError("ARCHIVE_INVALID", `the archive is damaged: ${why}`);
}

/** Takes as many bytes at a time as are wanted, fewer only at the end. */
class Source {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(data: Bytes) {
    this.#source = data[Symbol.asyncIterator]();
  }

  async take(length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let missing = length; missing > 0; ) {
      if (this.#rest.length === 0) {
        const next = await this.#source.next();
        if (next.done) break;
        this.#rest = next.value;
      }
      const part = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(part.length);
      parts.push(part);
      missing -= part.length;
    }
    return concatBytes(parts);
  }
}
