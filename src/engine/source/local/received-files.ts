// Contents of files that came over sessions, kept by digest between builds, so that only changed ones come again.
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import {
  createDigester,
  type Digest,
  type Digester,
  digestHex,
  fromNodeError,
  isRecord,
  temporaryName,
} from "../../../base/index.ts";
import { type IndexedFile, readStatIndex, type StatIndex, writeStatIndex } from "./stat-index.ts";

/** What is remembered of the last transfer besides its files. */
interface About {
  /** The boot in which it was written: after a crash of the machine, contents are not trusted unread. */
  readonly boot: string;
  readonly filter: string;
  /** Contents that no file of the last transfer had; those of this list may be deleted by the next one. */
  readonly condemned: readonly string[];
}

/** A file whose content is coming. */
export interface Incoming {
  /** Must not be changed afterwards. */
  write(chunk: Uint8Array): void;
  /** The whole content is there. */
  finish(): Digest;
  /** Throws away what has come. */
  discard(): void;
}

/** What the digest of a file has before its bytes. */
export type Header = string | Uint8Array;

/** Files of one kind of shared directory: contents by digest, and by path what was where at last. */
export interface ReceivedFiles {
  /** Absolute; contents lie in it by digest (`contentPath`). */
  readonly contents: string;
  readonly index: StatIndex;
  /** What the filter of the last transfer was. */
  readonly lastFilter: string;
  /** Whether the content of that digest is there; `header` is what the digest has before the file's bytes. */
  has(digest: Digest, header: Header): boolean;
  incoming(expectedSize: number, header: Header): Incoming;
  /**
   * Remembers `files` for the next transfer. With `alone`, deletes what neither they nor `used` nor the last transfer
   * needed.
   */
  save(files: readonly IndexedFile[], used: Iterable<Digest>, filter: string, alone: boolean): void;
}

/** Where a content lies below `contents`. */
export function contentPath(contents: string, digest: Digest): string {
  const hex = digestHex(digest);
  return `${contents}/${hex.slice(0, 2)}/${hex.slice(2)}`;
}

/** Files larger than this are written while they come. */
const wholeFile = 1 << 20;

/** Opens, and makes when first used, the files in `directory`. */
export function openReceivedFiles(directory: string): ReceivedFiles {
  const contents = `${directory}/contents`;
  try {
    mkdirSync(contents, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fromNodeError(error, `making ${directory}`);
  }
  const about = readAbout(`${directory}/about.json`);
  const present = presentContents(contents);
  const sameBoot = about.boot === bootId();
  const checked = new Set<string>();
  const tag = `${contents}/${temporaryName()}`;
  let made = 0;
  // One name of chance is enough for all files of a transfer.
  const temporary = () => `${tag}-${made++}`;
  const trust = (digest: Digest, header: Header): boolean => {
    const hex = digestHex(digest);
    if (!present.has(hex)) return false;
    if (sameBoot || checked.has(hex)) return true;
    if (digestOfFile(contentPath(contents, digest), header) !== digest) {
      present.delete(hex);
      rmSync(contentPath(contents, digest), { force: true });
      return false;
    }
    checked.add(hex);
    return true;
  };
  return {
    contents,
    index: readStatIndex(`${directory}/index`),
    lastFilter: about.filter,
    has: trust,
    incoming: (expectedSize, header) =>
      expectedSize <= wholeFile
        ? new SmallFile({ contents, present, temporary }, header)
        : new LargeFile({ contents, present, temporary }, header),
    save(files, digests, filter, alone) {
      const used = new Set(files.map((file) => digestHex(file.digest)));
      for (const digest of digests) used.add(digestHex(digest));
      if (alone)
        for (const hex of about.condemned)
          if (!used.has(hex)) removeContent(contents, present, hex);
      const condemned = [...present].filter((hex) => !used.has(hex));
      const text = JSON.stringify({ boot: bootId(), filter, condemned } satisfies About);
      writeStatIndex(`${directory}/index`, files);
      const temporary = `${directory}/${temporaryName()}`;
      writeFileSync(temporary, text, { mode: 0o600 });
      renameSync(temporary, `${directory}/about.json`);
    },
  };
}

function removeContent(contents: string, present: Set<string>, hex: string): void {
  if (!/^[0-9a-f]{64}$/.test(hex)) return;
  present.delete(hex);
  rmSync(`${contents}/${hex.slice(0, 2)}/${hex.slice(2)}`, { force: true });
}

function presentContents(contents: string): Set<string> {
  const present = new Set<string>();
  for (const start of readdirSync(contents)) {
    if (!/^[0-9a-f]{2}$/.test(start)) continue;
    for (const rest of readdirSync(`${contents}/${start}`))
      if (rest.length === 62) present.add(start + rest);
  }
  return present;
}

function readAbout(path: string): About {
  const nothing = { boot: "", filter: "", condemned: [] };
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (!isRecord(value)) return nothing;
    const { boot, filter, condemned } = value;
    if (typeof boot !== "string" || typeof filter !== "string" || !Array.isArray(condemned))
      return nothing;
    return { boot, filter, condemned: condemned.filter((hex) => typeof hex === "string") };
  } catch {
    return nothing;
  }
}

let boot: string | undefined;

function bootId(): string {
  boot ??= readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  return boot;
}

function digestOfFile(path: string, header: Header): Digest | undefined {
  try {
    return createDigester().update(header).update(readFileSync(path)).digest();
  } catch {
    return undefined;
  }
}

/** Where contents come to lie. */
interface Place {
  readonly contents: string;
  /** Digests in hex of what is there. */
  readonly present: Set<string>;
  /** A path that nobody uses. */
  readonly temporary: () => string;
}

/** Gathered in memory, hashed and written in one go. */
class SmallFile implements Incoming {
  readonly #place: Place;
  readonly #header: Header;
  readonly #chunks: Uint8Array[] = [];

  constructor(place: Place, header: Header) {
    this.#place = place;
    this.#header = header;
  }

  write(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
  }

  finish(): Digest {
    const digester = createDigester().update(this.#header);
    for (const chunk of this.#chunks) digester.update(chunk);
    const digest = digester.digest();
    const hex = digestHex(digest);
    if (this.#place.present.has(hex)) return digest;
    const temporary = this.#place.temporary();
    const file = openSync(temporary, "wx", 0o600);
    try {
      for (const chunk of this.#chunks) writeWhole(file, chunk);
    } finally {
      closeSync(file);
    }
    keep(temporary, this.#place, hex);
    return digest;
  }

  discard(): void {
    this.#chunks.length = 0;
  }
}

/** Written while it comes. */
class LargeFile implements Incoming {
  readonly #place: Place;
  readonly #temporary: string;
  readonly #file: number;
  readonly #digester: Digester;

  constructor(place: Place, header: Header) {
    this.#place = place;
    this.#temporary = place.temporary();
    this.#file = openSync(this.#temporary, "wx", 0o600);
    this.#digester = createDigester().update(header);
  }

  write(chunk: Uint8Array): void {
    this.#digester.update(chunk);
    writeWhole(this.#file, chunk);
  }

  finish(): Digest {
    closeSync(this.#file);
    const digest = this.#digester.digest();
    keep(this.#temporary, this.#place, digestHex(digest));
    return digest;
  }

  discard(): void {
    closeSync(this.#file);
    rmSync(this.#temporary, { force: true });
  }
}

function keep(temporary: string, { contents, present }: Place, hex: string): void {
  const directory = `${contents}/${hex.slice(0, 2)}`;
  const path = `${directory}/${hex.slice(2)}`;
  try {
    renameSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    renameSync(temporary, path);
  }
  present.add(hex);
}

function writeWhole(file: number, chunk: Uint8Array): void {
  for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at);
}
