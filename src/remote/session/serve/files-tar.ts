// Files that are lent one by one, as one archive: several are fetched ahead, so that distance does not slow it.
import type { FileEntry, SharedFiles, TakeChunk } from "../../../api/index.ts";
import { type Bytes, type Call, KilnError } from "../../../base/index.ts";
import {
  encodeTarHeader,
  type TarType,
  tarEnd,
  tarPadding,
} from "../../../formats/archive/index.ts";

/** Bytes of files that may be fetched before their turn, and how many files. */
const ahead = { bytes: 16 << 20, files: 64 };

const types: ReadonlyMap<number, TarType> = new Map([
  [0o010000, "fifo"],
  [0o020000, "char-device"],
  [0o040000, "directory"],
  [0o060000, "block-device"],
  [0o100000, "file"],
  [0o120000, "symlink"],
]);

/** In the order of the list. The files are lent; who takes the archive checks its paths. */
export async function* tarOfFiles(files: SharedFiles, call: Call): Bytes {
  const queue: Coming[] = [];
  let waiting = 0;
  let index = 0;
  const takeFirst = async function* (): Bytes {
    const first = queue.shift();
    if (!first) return;
    waiting -= first.size;
    yield* first.archived();
  };
  for await (const batch of files.entries) {
    for (const entry of batch) {
      const coming = new Coming(entry);
      while (
        queue.length > 0 &&
        (queue.length >= ahead.files || waiting + coming.size > ahead.bytes)
      )
        yield* takeFirst();
      queue.push(coming);
      waiting += coming.size;
      coming.start(files, index++, call);
    }
  }
  while (queue.length > 0) yield* takeFirst();
  yield tarEnd;
}

/** One entry whose contents are on their way. */
class Coming {
  readonly size: number;
  readonly #entry: FileEntry;
  readonly #chunks: Uint8Array[] = [];
  #came = 0;
  #done = false;
  #turn = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;
  #room: (() => void) | undefined;

  constructor(entry: FileEntry) {
    this.#entry = entry;
    const { mode, size, linkname } = entry;
    this.size = (mode & 0o170000) === 0o100000 && linkname === undefined ? size : 0;
  }

  start(files: SharedFiles, index: number, call: Call): void {
    if (this.size === 0) {
      this.#done = true;
      return;
    }
    const take: TakeChunk = (chunk) => {
      this.#came += chunk.length;
      if (this.#came > this.size) throw this.#changed();
      this.#chunks.push(chunk);
      this.#wake?.();
      // Files that wait for their turn are small together; only the one whose turn it is may have to wait for its reader.
      if (!this.#turn || this.#chunks.length < 4) return;
      return new Promise((resolve) => {
        this.#room = resolve;
      });
    };
    files.read(index, take, call).then(
      () => this.#end(this.#came === this.size ? undefined : { error: this.#changed() }),
      (error: unknown) => this.#end({ error }),
    );
  }

  async *archived(): Bytes {
    this.#turn = true;
    const { path, mode, uid, gid, mtime, linkname, devMajor, devMinor } = this.#entry;
    const type = types.get(mode & 0o170000);
    if (type === undefined) return;
    const hard = type === "file" && linkname !== undefined;
    yield encodeTarHeader({
      path,
      type: hard ? "hardlink" : type,
      mode: mode & 0o7777,
      uid,
      gid,
      size: this.size,
      mtime,
      ...(linkname === undefined ? {} : { linkname }),
      ...(devMajor === undefined ? {} : { devMajor }),
      ...(devMinor === undefined ? {} : { devMinor }),
    });
    yield* this.#contents();
    const padding = tarPadding(this.size);
    if (padding > 0) yield new Uint8Array(padding);
  }

  async *#contents(): Bytes {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk) {
        yield chunk;
        this.#room?.();
        continue;
      }
      if (this.#failure) throw this.#failure.error;
      if (this.#done) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #end(failure: { readonly error: unknown } | undefined): void {
    this.#failure = failure;
    this.#done = true;
    this.#wake?.();
  }

  #changed(): KilnError {
    const { path } = this.#entry;
    return new KilnError("EXPORT_FAILED", `${path} did not come as it was announced`);
  }
}
