// Blobs as files named by their digest: temporary file, hash, rename; whatever can be seen is whole.
import { randomBytes } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import { open, readdir, rename, rm, stat } from "node:fs/promises";
import {
  type Bytes,
  type Call,
  createDigester,
  type Digest,
  digestHex,
  fromNodeError,
  isDead,
  isDigest,
  isKilnError,
  KilnError,
  LeaseTable,
  Once,
  processTag,
  throwIfAborted,
  verified,
} from "../../base/index.ts";
import type { Descriptor } from "../../formats/oci/index.ts";
import { BlobFile } from "./blob-file.ts";
import type { ContentStore, StoredBlob } from "./content.ts";

/** Large enough that reading costs little more than hashing. */
const readSize = 1024 * 1024;
/** Up to this, as manifests and configurations are, a turn in the thread pool takes longer than reading all of it. */
const smallBlob = 64 * 1024;
/** How old unfinished blobs of processes in other pid namespaces must be before they count as left behind. */
const unknownOwnerAge = 24 * 3600 * 1000;

/** Opens (or makes) the store in `dir`: `blobs/sha256/<hex>`. Sweeps what crashed processes left behind. */
export async function openContentStore(dir: string): Promise<ContentStore> {
  try {
    mkdirSync(`${dir}/blobs/sha256`, { recursive: true, mode: 0o700 });
    mkdirSync(`${dir}/ingest`, { recursive: true, mode: 0o700 });
    sweep(`${dir}/ingest`);
    new LeaseTable(`${dir}/leases`).sweep();
  } catch (error) {
    throw fromNodeError(error, `opening the blobs in ${dir}`);
  }
  return new DiskContentStore(dir);
}

class DiskContentStore implements ContentStore {
  readonly #dir: string;
  readonly #writing = new Once<Digest, void>();
  readonly #touched = new Set<Digest>();
  readonly #leases: LeaseTable;

  constructor(dir: string) {
    this.#dir = dir;
    this.#leases = new LeaseTable(`${dir}/leases`);
  }

  async has(digest: Digest, call: Call): Promise<boolean> {
    throwIfAborted(call);
    this.#hold(digest);
    return this.#sizeOf(digest) !== undefined;
  }

  async *read(blob: Descriptor, call: Call): Bytes {
    throwIfAborted(call);
    this.#hold(blob.digest);
    const what = `blob ${blob.digest}`;
    try {
      yield* verified(this.#chunks(blob.digest, call), blob.digest, blob.size, what);
    } catch (error) {
      if (!isKilnError(error, "BLOB_CORRUPT")) throw fromNodeError(error, `reading ${what}`);
      await this.#dropDamaged(blob);
      throw error;
    }
  }

  async write(blob: Descriptor, data: () => Bytes, call: Call): Promise<void> {
    this.#hold(blob.digest);
    if (this.#sizeOf(blob.digest) === blob.size) return;
    await this.#writing.run(blob.digest, (once) => this.#writeNew(blob, data, once), call);
  }

  async ingest(mediaType: string, data: Bytes, call: Call): Promise<Descriptor> {
    const written = await this.#receive(data, call);
    this.#hold(written.digest);
    await this.#publish(written.path, written.digest);
    return { mediaType, digest: written.digest, size: written.size };
  }

  async delete(digest: Digest): Promise<void> {
    await rm(this.#path(digest), { force: true });
  }

  async *list(): AsyncIterable<StoredBlob> {
    const elsewhere = this.#leases.heldElsewhere();
    for (const name of await readdir(`${this.#dir}/blobs/sha256`)) {
      const digest = `sha256:${name}`;
      if (!isDigest(digest)) continue;
      const path = this.#path(digest);
      const found = await stat(path).catch(ifMissing);
      if (!found) continue;
      const { size, mtime: usedAt, birthtime: createdAt } = found;
      const inUse = elsewhere.has(name) || this.#leases.isHeldHere(name);
      yield { digest, size, usedAt, createdAt, path, inUse };
    }
  }

  async collect(digests: readonly Digest[]): Promise<readonly Digest[]> {
    const free = digests.map(digestHex).filter((name) => !this.#leases.isHeldHere(name));
    const trash: string[] = [];
    const gone = this.#leases.collect(free, (name) => {
      const away = this.#temporary();
      if (moved(`${this.#dir}/blobs/sha256/${name}`, away)) trash.push(away);
    });
    for (const path of trash) await rm(path, { force: true });
    return gone.map((name) => `sha256:${name}` as Digest);
  }

  release(): void {
    this.#leases.release();
    this.#touched.clear();
  }

  #hold(digest: Digest): void {
    try {
      this.#leases.hold([digestHex(digest)]);
    } catch (error) {
      throw fromNodeError(error, `using the blobs in ${this.#dir}`);
    }
  }

  #temporary(): string {
    return `${this.#dir}/ingest/${processTag()}-${randomBytes(8).toString("hex")}`;
  }

  async #writeNew(blob: Descriptor, data: () => Bytes, call: Call): Promise<void> {
    if (this.#sizeOf(blob.digest) === blob.size) return;
    const what = `blob ${blob.digest}`;
    const written = await this.#receive(verified(data(), blob.digest, blob.size, what), call);
    await this.#publish(written.path, blob.digest);
  }

  /** Takes all of `data` into a file of its own, flushed to the disk; leaves nothing on failure. */
  async #receive(data: Bytes, call: Call): Promise<{ path: string; digest: Digest; size: number }> {
    const path = this.#temporary();
    const digester = createDigester();
    let file: BlobFile | undefined;
    try {
      file = new BlobFile(path);
      for await (const chunk of data) {
        throwIfAborted(call);
        await file.append(chunk);
        digester.update(chunk);
      }
      // A name must never stand for contents that a power cut can take away.
      await file.finish();
      return { path, digest: digester.digest(), size: file.size };
    } catch (error) {
      await file?.abandon();
      await rm(path, { force: true });
      throw fromNodeError(error, `writing a blob in ${this.#dir}`);
    }
  }

  async #publish(path: string, digest: Digest): Promise<void> {
    // The directory is not flushed: a rename lost to a power cut means a blob to be fetched again, no more.
    await rename(path, this.#path(digest)).catch(async (error: unknown) => {
      await rm(path, { force: true });
      throw fromNodeError(error, `writing a blob in ${this.#dir}`);
    });
  }

  async *#chunks(digest: Digest, call: Call): Bytes {
    const path = this.#path(digest);
    try {
      const { size } = statSync(path);
      this.#touch(digest);
      if (size > smallBlob) yield* readLarge(path, call);
      else if (size > 0) yield readFileSync(path);
    } catch (error) {
      if (!isMissing(error)) throw error;
      throw new KilnError("BLOB_NOT_FOUND", `blob ${digest} is not in the store`);
    }
  }

  /** The modification time says when a blob was last used; once per process is enough to tell old from new. */
  #touch(digest: Digest): void {
    if (this.#touched.has(digest)) return;
    this.#touched.add(digest);
    const now = new Date();
    try {
      utimesSync(this.#path(digest), now, now);
    } catch {
      // The blob counts as older than it is, or is about to be missed.
    }
  }

  /** So that the next build fetches it again; unless the caller was wrong about the size. */
  async #dropDamaged(blob: Descriptor): Promise<void> {
    if (this.#sizeOf(blob.digest) === undefined) return;
    const digester = createDigester();
    for await (const chunk of this.#chunks(blob.digest, { signal: new AbortController().signal }))
      digester.update(chunk);
    if (digester.digest() !== blob.digest) await this.delete(blob.digest);
  }

  #sizeOf(digest: Digest): number | undefined {
    return statSync(this.#path(digest), { throwIfNoEntry: false })?.size;
  }

  #path(digest: Digest): string {
    return `${this.#dir}/blobs/sha256/${digestHex(digest)}`;
  }
}

async function* readLarge(path: string, call: Call): Bytes {
  const file = await open(path, "r");
  try {
    for (;;) {
      throwIfAborted(call);
      const chunk = new Uint8Array(readSize);
      const { bytesRead } = await file.read(chunk, 0, readSize, null);
      if (bytesRead === 0) return;
      yield chunk.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

function ifMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}

/** False when there was nothing. */
function moved(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (!isMissing(error)) throw error;
    return false;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === "ENOENT";
}

function sweep(dir: string): void {
  for (const name of readdirSync(dir)) {
    const path = `${dir}/${name}`;
    const dead = isDead(name.split("-")[0] ?? "");
    const age = () => Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    if (dead === true || (dead === "unknown" && age() > unknownOwnerAge))
      rmSync(path, { force: true });
  }
}
