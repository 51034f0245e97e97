// A shared directory that comes over a session: the list always, contents only of files that the last transfer did not bring.
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { FileEntry, FileFilter, Session, SharedFiles, StepCall } from "../../../api/index.ts";
import { digestHex, digestOf, fromNodeError, KilnError } from "../../../base/index.ts";
import { comparePaths, EntryOrder, fileType } from "../../../storage/directory/index.ts";
import {
  type HostEntry,
  type HostTree,
  isPortableXattr,
  type Xattrs,
} from "../../../storage/snapshot/index.ts";
import { contentHeader } from "../content-header.ts";
import { contextChanged } from "../host-tree.ts";
import { listName, MetadataOnly, parseMetadataTransfer } from "./metadata-only.ts";
import {
  type Header,
  type Incoming,
  openReceivedFiles,
  type ReceivedFiles,
} from "./received-files.ts";
import type { IndexedFile } from "./stat-index.ts";

export interface TransferOptions {
  /** The shared directory's name. */
  readonly name: string;
  readonly filter: FileFilter;
  readonly session: Session;
  /** Where received files are kept, by shared directory. */
  readonly directory: string;
  /** Name in `directory`. */
  readonly key: string;
  /** Files are sent again though they look unchanged (`local.differ=none`). */
  readonly everything: boolean;
  /** Set where the list alone is wanted: patterns of what comes whole. */
  readonly exceptions?: readonly string[];
  /** Whether nobody else uses what is kept under the key. */
  readonly alone: () => boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A file changed less than this before it was sent is sent again: its times may not show a further change. */
const racyNs = 2_000_000_000n;

/** Large files that may come at once: a sender works on a few. */
const maxOpenFiles = 256;

/** How often progress is told, in bytes. */
const progressStep = 4 * 1024 * 1024;

/** Everything belongs to root, as the reference's client sends it. Throws `PATH_INVALID` for lists that are none. */
export async function transferFiles(options: TransferOptions, call: StepCall): Promise<HostTree> {
  const { name, filter, session, now } = options;
  const received = openReceivedFiles(join(options.directory, options.key));
  const started = BigInt(Math.floor(now())) * 1_000_000n;
  await using files = session.files(name, filter, call);
  const transfer = new Transfer(files, received, options, call);
  try {
    for await (const batch of files.entries) for (const entry of batch) transfer.add(entry);
    await transfer.ended();
  } catch (error) {
    transfer.abort();
    throw fromNodeError(error, `receiving ${name}`);
  }
  const entries = transfer.entries();
  remember(entries, received, options, started - racyNs);
  return {
    directory: name,
    entries,
    excluded: filter.exclude ?? [],
    contents: received.contents,
  };
}

function remember(
  entries: readonly HostEntry[],
  received: ReceivedFiles,
  { filter, alone }: TransferOptions,
  settled: bigint,
): void {
  const text = JSON.stringify(filter);
  const listed: IndexedFile[] = [];
  for (const entry of entries) {
    const { digest, linkname, mtime } = entry;
    if (digest === undefined || linkname !== undefined || mtime >= settled) continue;
    listed.push({ ...asIndexed(entry), digest });
  }
  // Another selection of the same directory will ask for what this one left out.
  if (text !== received.lastFilter) listed.push(...received.index.unasked());
  const used = entries.flatMap(({ digest }) => (digest === undefined ? [] : [digest]));
  received.save(listed, used, text, alone());
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

class Transfer {
  readonly #files: SharedFiles;
  readonly #received: ReceivedFiles;
  readonly #options: TransferOptions;
  readonly #call: StepCall;
  readonly #order: EntryOrder;
  readonly #metadata: MetadataOnly | undefined;
  readonly #entries: Mutable<HostEntry>[] = [];
  /** Regular files by path, for hard links; made when the first link comes. */
  #byPath: Map<string, Mutable<HostEntry>> | undefined;
  readonly #links: { readonly entry: Mutable<HostEntry>; readonly first: Mutable<HostEntry> }[] =
    [];
  readonly #coming: Promise<void>[] = [];
  readonly #incoming = new Set<Incoming>();
  #listed = 0;
  #bytes = 0;
  #told = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    files: SharedFiles,
    received: ReceivedFiles,
    options: TransferOptions,
    call: StepCall,
  ) {
    this.#files = files;
    this.#received = received;
    this.#options = options;
    this.#call = call;
    this.#order = new EntryOrder(`transferring ${options.name}`);
    this.#metadata = options.exceptions && new MetadataOnly(options.exceptions);
  }

  add(entry: FileEntry): void {
    if (this.#failure) throw this.#failure.error;
    const index = this.#listed++;
    this.#order.check(entry);
    if (!this.#metadata) this.#take(index, entry);
    else for (const one of this.#metadata.take(index, entry)) this.#take(one.index, one.entry);
  }

  #take(index: number, entry: FileEntry): void {
    const { path, mode, size, mtime, linkname } = entry;
    const type = fileType(mode);
    if (type === "socket" || type === "char" || type === "block") return;
    const made: Mutable<HostEntry> = { path, mode, size: type === "file" ? size : 0, mtime };
    const xattrs = entry.xattrs && portable(entry.xattrs);
    if (xattrs && type !== "symlink") made.xattrs = xattrs;
    this.#entries.push(made);
    if (type === "symlink") made.linkname = linkname ?? "";
    if (type !== "file") return;
    if (linkname !== undefined) this.#link(made, linkname);
    else this.#file(index, made);
  }

  /** Resolves when all contents are there. */
  async ended(): Promise<void> {
    await Promise.all(this.#coming);
    if (this.#metadata) this.#keepList(this.#metadata);
    this.#say(true);
  }

  /** Those of hard links are complete when all contents are there. */
  entries(): readonly HostEntry[] {
    for (const { entry, first } of this.#links) {
      entry.shared = first.path;
      first.shared = first.path;
      entry.size = first.size;
      if (first.digest !== undefined) entry.digest = first.digest;
      if (first.xattrs) entry.xattrs = first.xattrs;
      else delete entry.xattrs;
    }
    return this.#entries;
  }

  /** As a file among the others. */
  #keepList(metadata: MetadataOnly): void {
    const made = { path: listName, mode: 0o100644, size: metadata.size, mtime: 0n };
    const file = this.#received.incoming(made.size, headerOf(made));
    this.#incoming.add(file);
    for (const chunk of metadata.list()) file.write(chunk);
    const digest = file.finish();
    this.#incoming.delete(file);
    const at = this.#entries.findIndex(({ path }) => comparePaths(path, listName) > 0);
    this.#entries.splice(at < 0 ? this.#entries.length : at, 0, { ...made, digest });
  }

  abort(): void {
    for (const one of this.#incoming) one.discard();
    this.#incoming.clear();
  }

  #link(made: Mutable<HostEntry>, target: string): void {
    this.#byPath ??= new Map(
      this.#entries.filter((one) => fileType(one.mode) === "file").map((one) => [one.path, one]),
    );
    const first = this.#byPath.get(target);
    if (first) this.#links.push({ entry: made, first });
  }

  #file(index: number, made: Mutable<HostEntry>): void {
    this.#byPath?.set(made.path, made);
    const known = this.#options.everything
      ? undefined
      : this.#received.index.digest(asIndexed(made));
    if (known !== undefined && this.#received.has(known, headerOf(made))) {
      made.digest = known;
      return;
    }
    const coming = this.#receive(index, made);
    // The first failure is thrown by the next entry, or by `ended`.
    coming.catch((error: unknown) => {
      this.#failure ??= { error };
    });
    this.#coming.push(coming);
  }

  async #receive(index: number, made: Mutable<HostEntry>): Promise<void> {
    let file: Incoming | undefined;
    let size = 0;
    const open = (): Incoming => {
      if (this.#incoming.size >= maxOpenFiles) throw tooManyAtOnce(this.#options.name);
      const opened = this.#received.incoming(made.size, headerOf(made));
      this.#incoming.add(opened);
      return opened;
    };
    const take = (chunk: Uint8Array): void => {
      size += chunk.length;
      if (size > made.size) throw contextChanged(made.path);
      file ??= open();
      file.write(chunk);
      this.#bytes += chunk.length;
      if (this.#bytes - this.#told >= progressStep) this.#say(false);
    };
    if (made.size > 0) await this.#files.read(index, take, this.#call);
    if (size !== made.size) throw contextChanged(made.path);
    file ??= open();
    made.digest = file.finish();
    this.#incoming.delete(file);
  }

  #say(done: boolean): void {
    this.#told = this.#bytes;
    this.#call.emit({
      type: "progress",
      step: this.#call.step,
      id: `transferring ${this.#options.name}:`,
      at: new Date(),
      current: this.#bytes,
      ...(done ? { done } : {}),
    });
  }
}

/** What tells whether a file has changed. Inodes of the other side are not known: attributes take their place. */
function asIndexed(entry: HostEntry): Omit<IndexedFile, "digest"> {
  const { path, mode, size, mtime, xattrs } = entry;
  const ino = xattrs
    ? BigInt(`0x${digestHex(digestOf(headerOf({ ...entry, size: 0 }))).slice(0, 16)}`)
    : 0n;
  return { path, mode, size, mtime, ctime: 0n, ino };
}

/** As the builder will own it: a directory of the asking side has no owners. */
function headerOf({ mode, size, xattrs }: HostEntry): Header {
  const stat = { type: "file", mode: mode & 0o7777, uid: 0, gid: 0, size, rdev: 0 } as const;
  return contentHeader(stat, "", xattrs);
}

/** Those that count; undefined where there are none. */
function portable(xattrs: Xattrs): Xattrs | undefined {
  const found = [...xattrs].filter(([name]) => isPortableXattr(name) && !name.includes("\0"));
  return found.length === 0 ? undefined : new Map(found);
}

function tooManyAtOnce(name: string): KilnError {
  return new KilnError(
    "PATH_INVALID",
    `transferring ${name}: the other side sends more than ${maxOpenFiles} files at once`,
  );
}

/** Names what is kept of a shared directory: of the same asker, under the same name, for the same purpose. */
export function transferKey(
  session: Session,
  name: string,
  attrs: Readonly<Record<string, string>>,
): string {
  const parts = [
    session.sharedKey ?? "",
    name,
    attrs["local.sharedkeyhint"] ?? "",
    attrs["local.includepattern"] ?? "",
    ...(parseMetadataTransfer(attrs) ? ["metadata"] : []),
  ];
  return `${createHash("sha256").update(JSON.stringify(parts)).digest("hex")}.files`;
}
