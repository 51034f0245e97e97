// Scheme `local`: directories of the asking side, read in place where both sides see the same disk.
import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { FileFilter, Session, StepCall } from "../../../api/index.ts";
import {
  type Digest,
  digestHex,
  digestOf,
  fromNodeError,
  KilnError,
  LeaseTable,
} from "../../../base/index.ts";
import { compileFilter, scanDirectory } from "../../../storage/directory/index.ts";
import type { HostTree, Snapshotter } from "../../../storage/snapshot/index.ts";
import { contextChanged, hostFile, hostTreeDigest } from "../host-tree.ts";
import type { ResolvedSource, Source } from "../source.ts";
import { parseLocalFilter } from "./attributes.ts";
import { hashFiles } from "./hash-files.ts";
import { parseMetadataTransfer } from "./metadata-only.ts";
import { createTreeSnapshot } from "./snapshot.ts";
import { transferFiles, transferKey } from "./transfer.ts";

export interface LocalSourceOptions {
  /** Where the stat indexes are kept. */
  readonly directory: string;
  readonly snapshotter: Snapshotter;
  /** Told before an index is looked for: its name in `directory`, and what it is. */
  readonly onUse?: (name: string, description: string) => void;
  /** Milliseconds since 1970, by the clock that stamps files. */
  readonly now?: () => number;
}

export function createLocalSource(options: LocalSourceOptions): Source {
  const users: Users = new Map();
  return {
    scheme: "local",
    async resolve(id, session, call) {
      const filter = parseLocalFilter(id.attrs);
      const directory = session.directory(id.rest);
      // A list alone is made of what comes, wherever it comes from.
      if (directory === undefined || parseMetadataTransfer(id.attrs)) {
        const shared = { name: id.rest, filter, session, attrs: id.attrs };
        return remoteSource(options, users, shared, call);
      }
      try {
        return await localSource(options, { name: id.rest, directory, filter }, call);
      } catch (error) {
        throw fromNodeError(error, `reading ${directory}`);
      }
    },
  };
}

interface Shared {
  readonly name: string;
  readonly directory: string;
  readonly filter: FileFilter;
}

async function localSource(
  options: LocalSourceOptions,
  { name, directory, filter }: Shared,
  call: StepCall,
): Promise<ResolvedSource> {
  checkDirectory(directory);
  const id = `transferring ${name}:`;
  const say = (current: number, done: boolean) =>
    call.emit({
      type: "progress",
      step: call.step,
      id,
      at: new Date(),
      current,
      ...(done ? { done } : {}),
    });
  let bytes = 0;
  const index = `${hashOf(directory)}.index`;
  options.onUse?.(index, `local source index of ${directory}`);
  const files = await scanDirectory(directory, compileFilter(directory, filter), call);
  const entries = await hashFiles(
    files,
    {
      directory,
      index: join(options.directory, index),
      now: options.now ?? Date.now,
      onProgress(seen) {
        bytes = seen;
        say(seen, false);
      },
    },
    call,
  );
  say(bytes, true);
  const tree: HostTree = { directory, entries, excluded: filter.exclude ?? [] };
  const content = hostTreeDigest(tree);
  return {
    cacheKey: privateKey(content),
    pin: content,
    fetch: async () => createTreeSnapshot(tree, content, options.snapshotter),
  };
}

function checkDirectory(directory: string): void {
  const stat = statSync(directory, { throwIfNoEntry: false });
  if (stat?.isDirectory()) return;
  const why = stat ? "is not a directory" : "does not exist";
  throw new KilnError("CONTEXT_NOT_FOUND", `the build context ${directory} ${why}`);
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Builds that use what is kept of shared directories, by key. */
type Users = Map<string, number>;

interface Transferred {
  readonly name: string;
  readonly filter: FileFilter;
  readonly session: Session;
  readonly attrs: Readonly<Record<string, string>>;
}

/** Files that only the session can read: the list and what has changed come over now, so that they are known by content. */
async function remoteSource(
  options: LocalSourceOptions,
  users: Users,
  { name, filter, session, attrs }: Transferred,
  call: StepCall,
): Promise<ResolvedSource> {
  const key = transferKey(session, name, attrs);
  const exceptions = parseMetadataTransfer(attrs);
  options.onUse?.(key, `files received of ${name}`);
  const leases = new LeaseTable(join(options.directory, ".leases"));
  const transfer = (transferring: StepCall) =>
    transferFiles(
      {
        name,
        filter,
        session,
        key,
        directory: options.directory,
        everything: attrs["local.differ"] === "none",
        ...(exceptions ? { exceptions } : {}),
        alone: () => (users.get(key) ?? 0) === 0 && !leases.heldByOthers().has(key),
        now: options.now ?? Date.now,
      },
      transferring,
    );
  const tree = await transfer(call);
  const content = hostTreeDigest(tree);
  return {
    cacheKey: privateKey(content),
    pin: content,
    async fetch(fetching) {
      users.set(key, (users.get(key) ?? 0) + 1);
      const release = () => void users.set(key, (users.get(key) ?? 1) - 1);
      try {
        const held = contentsAreThere(tree) ? tree : await transfer(fetching);
        if (held !== tree && hostTreeDigest(held) !== content) throw contextChanged(name);
        return createTreeSnapshot(held, content, options.snapshotter, release);
      } catch (error) {
        release();
        throw error;
      }
    },
  };
}

/** Between looking and using, other builds may have come and gone, and with them what they did not need. */
function contentsAreThere(tree: HostTree): boolean {
  return tree.entries.every(
    (entry) => entry.digest === undefined || existsSync(hostFile(tree, entry)),
  );
}

/**
 * A key that means nothing on another machine: no digest, so that caches that travel leave it out, as BuildKit does. Steps
 * that use the files are found by the files' content.
 */
function privateKey(found: Digest): Digest {
  return `random:${digestHex(digestOf(`local ${found}`))}` as Digest;
}
