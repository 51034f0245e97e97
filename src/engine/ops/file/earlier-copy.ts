// What an earlier run of the same copy made of the same directory: files that have not changed since are linked, not written again.
import { linkSync } from "node:fs";
import { join } from "node:path";
import {
  AsyncStack,
  type Call,
  type Digest,
  digestHex,
  digestOf,
  Limiter,
  log,
} from "../../../base/index.ts";
import type { Snapshot, Snapshotter } from "../../../storage/snapshot/index.ts";
import { type IndexedFile, readStatIndex, writeStatIndex } from "../../source/index.ts";
import type { Owner } from "./attributes.ts";

const debug = log("copy");

/** A regular file as a copy leaves it. */
export interface CopiedFile {
  /** In its layer, from its root. */
  readonly path: string;
  readonly size: number;
  readonly mode: number;
  readonly owner: Owner;
  /** Nanoseconds since 1970. */
  readonly time: bigint;
  /** Of what it holds. */
  readonly digest: Digest;
}

/** What one running copy asks for every file that is new in its layer. */
export interface EarlierCopy {
  /** Makes `to` a name of the same file in the earlier layer. False where there is none: then `to` has to be written. */
  link(file: CopiedFile, to: string): boolean;
}

/** A copy that is running: what it writes or links is noted, so that the next run may link it. */
export interface RunningCopy extends EarlierCopy, AsyncDisposable {
  /** Remembers the layer that was made: the topmost of `made`, and nothing but what this copy put there. */
  remember(made: Snapshot): void;
}

export interface EarlierCopies {
  /**
   * `what` tells copies apart, by what is copied and how; `directory` is where from. Copies of one kind wait for each other:
   * the second links what the first has made. Dispose it when the layer is committed, or given up.
   */
  begin(what: Digest, directory: string, call: Call): Promise<RunningCopy>;
}

export interface EarlierCopiesOptions {
  readonly snapshotter: Snapshotter;
  /** A directory for one file a kind of copy. */
  readonly directory: string;
  /** Told before a file is looked for: its name in `directory`, and what it is. */
  readonly onUse: (name: string, description: string) => void;
}

/** Hard links of one file are limited: 65,000 on ext4. Then it is written again, and that one is linked from then on. */
const cannotLink = new Set(["EMLINK", "ENOENT", "EPERM"]);

export function createEarlierCopies(options: EarlierCopiesOptions): EarlierCopies {
  const turns = new Map<string, Limiter>();
  return {
    async begin(what, directory, call) {
      const key = digestHex(digestOf(`${what}\n${directory}`));
      const turn = turns.get(key) ?? new Limiter(1);
      turns.set(key, turn);
      const owned = new AsyncStack();
      owned.use(await turn.acquire(call));
      try {
        options.onUse(key, `copies of ${directory}`);
        return await openCopy(join(options.directory, key), options.snapshotter, owned, call);
      } catch (error) {
        await owned[Symbol.asyncDispose]();
        throw error;
      }
    },
  };
}

async function openCopy(
  path: string,
  snapshotter: Snapshotter,
  owned: AsyncStack,
  call: Call,
): Promise<RunningCopy> {
  const index = readStatIndex(path);
  // Held while its files are linked.
  const earlier = index.label === "" ? undefined : await snapshotter.open(index.label, call);
  if (earlier) owned.use(earlier);
  const topmost = earlier?.layers.at(-1);
  const files = topmost && snapshotter.directory(topmost);
  const made: IndexedFile[] = [];
  return {
    link(file, to) {
      const entry = asIndexed(file);
      made.push(entry);
      if (files === undefined || index.digest(entry) !== file.digest) return false;
      try {
        linkSync(files + file.path, to);
        return true;
      } catch (error) {
        if (cannotLink.has((error as NodeJS.ErrnoException).code ?? "")) return false;
        throw error;
      }
    },
    remember(snapshot) {
      try {
        writeStatIndex(path, made, snapshot.id);
      } catch (error) {
        // It would only have made the next copy faster.
        debug.debug("could not remember a copy", { path, error: String(error) });
      }
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** Layers have no change times or inodes that matter: the owner takes the inode's place. */
function asIndexed({ path, size, mode, owner, time, digest }: CopiedFile): IndexedFile {
  const ino = (BigInt(owner.uid) << 32n) | BigInt(owner.gid);
  return { path, size, mode, mtime: time, ctime: 0n, ino, digest };
}
