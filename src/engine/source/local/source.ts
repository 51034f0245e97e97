// Scheme `local`: directories of the asking side, read in place where both sides see the same disk.

import { createHash, randomUUID } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import type { FileFilter, Session, StepCall } from "../../../api/index.ts";
import { digestOf, fromNodeError, KilnError } from "../../../base/index.ts";
import { createPathFilter, type PathFilter } from "../../../formats/patterns/index.ts";
import type { HostTree, Snapshotter } from "../../../storage/snapshot/index.ts";
import { hostTreeDigest } from "../host-tree.ts";
import type { ResolvedSource, Source } from "../source.ts";
import { parseLocalFilter } from "./attributes.ts";
import { followPaths } from "./follow-paths.ts";
import { hashFiles } from "./hash-files.ts";
import { scanDirectory } from "./scan.ts";
import { createTreeSnapshot } from "./snapshot.ts";
import { transferFiles } from "./transfer.ts";

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
  return {
    scheme: "local",
    async resolve(id, session, call) {
      const filter = parseLocalFilter(id.attrs);
      const directory = session.directory(id.rest);
      if (directory === undefined) return remoteSource(options, id.rest, filter, session);
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
    cacheKey: digestOf(`local\n${content}`),
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

/** As fsutil: followed paths and their links are further include patterns. Undefined wants everything. */
function compileFilter(directory: string, filter: FileFilter): PathFilter | undefined {
  const { include = [], exclude = [], followPaths: paths = [] } = filter;
  const followed = paths.length === 0 ? [] : followPaths(directory, paths);
  const includes = followed === undefined ? [] : [...new Set([...include, ...followed])];
  if (includes.length === 0 && exclude.length === 0) return undefined;
  return createPathFilter(includes, exclude);
}

/**
 * Files that only the session can read. What they hold is not known before they have come over, so nothing is found by
 * this key: the steps that use the files find their results by the files' content.
 */
function remoteSource(
  options: LocalSourceOptions,
  name: string,
  filter: FileFilter,
  session: Session,
): ResolvedSource {
  const once = randomUUID();
  return {
    cacheKey: digestOf(`local session\n${name}\n${once}`),
    pin: `${name}@${once}`,
    fetch: (call) =>
      transferFiles({ name, filter, session, snapshotter: options.snapshotter }, call),
  };
}
