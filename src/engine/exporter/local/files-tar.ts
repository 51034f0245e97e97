// The files of a solved result as one archive: of all platforms side by side, or of one as they are.
import { lstatSync, readdirSync } from "node:fs";
import type { SharedFiles } from "../../../api/index.ts";
import { type Bytes, type Call, KilnError } from "../../../base/index.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "../../../formats/archive/index.ts";
import { type MadeFile, type SharedTree, shareTrees } from "../../../storage/directory/index.ts";
import { treeTar, withMounted } from "../../../storage/snapshot/index.ts";
import type { SolvedPlatform } from "../exporter.ts";
import { attestationFiles } from "./attestation-files.ts";

export interface FilesOptions {
  /** Each platform in a directory of its own: `linux_arm64`. */
  readonly split: boolean;
  /** Seconds: later times become this. */
  readonly clamp: number | undefined;
  /** Before the names of files that say something about the result. */
  readonly attestationPrefix: string;
}

/** Mounts the result and lends its archive to `use`. The mounts are gone afterwards. */
export async function withFilesTar<T>(
  platforms: readonly SolvedPlatform[],
  options: FilesOptions,
  use: (tar: Bytes) => Promise<T>,
  call: Call,
): Promise<T> {
  return withTrees(platforms, [], call, (trees) => {
    if (!options.split) checkDistinct(trees);
    return use(filesTar(platforms, trees, options, call));
  });
}

/** Mounts the result and lends its files to `use`. The mounts are gone afterwards. */
export async function withSharedFiles<T>(
  platforms: readonly SolvedPlatform[],
  options: FilesOptions,
  use: (files: SharedFiles) => Promise<T>,
  call: Call,
): Promise<T> {
  return withTrees(platforms, [], call, async (trees) => {
    if (!options.split) checkDistinct(trees);
    const { clamp } = options;
    const parts: SharedTree[] = [];
    for (const [index, { id, root }] of trees.entries()) {
      const made = await madeFor(platforms, index, root, options, call);
      parts.push({ root, prefix: options.split ? id.replaceAll("/", "_") : "", made });
    }
    return await use(
      shareTrees(parts, clamp === undefined ? undefined : BigInt(clamp) * 1_000_000_000n, call),
    );
  });
}

interface MountedPlatform {
  readonly id: string;
  /** Undefined is the empty file system. */
  readonly root: string | undefined;
}

async function withTrees<T>(
  platforms: readonly SolvedPlatform[],
  mounted: readonly MountedPlatform[],
  call: Call,
  use: (trees: readonly MountedPlatform[]) => Promise<T>,
): Promise<T> {
  const [next, ...rest] = platforms;
  if (!next) return use(mounted);
  const { id, snapshot } = next;
  if (!snapshot) return withTrees(rest, [...mounted, { id, root: undefined }], call, use);
  const mounts = await snapshot.mounts(call);
  return withMounted(mounts, call, (root) =>
    withTrees(rest, [...mounted, { id, root }], call, use),
  );
}

/** What is said about one of the platforms, as files. */
async function madeFor(
  platforms: readonly SolvedPlatform[],
  index: number,
  root: string | undefined,
  { split, attestationPrefix: prefix }: FilesOptions,
  call: Call,
): Promise<readonly MadeFile[]> {
  const platform = platforms[index];
  if (!platform) return [];
  const naming = { prefix, split, several: platforms.length > 1 };
  return await attestationFiles(platform, root, naming, call);
}

async function* filesTar(
  platforms: readonly SolvedPlatform[],
  trees: readonly MountedPlatform[],
  options: FilesOptions,
  call: Call,
): Bytes {
  const { split, clamp } = options;
  for (const [index, { id, root }] of trees.entries()) {
    const name = id.replaceAll("/", "_");
    if (split) yield splitDirectory(name, clamp);
    if (root !== undefined) yield* treeTar(root, { clamp, prefix: split ? `${name}/` : "" }, call);
    const mtime = BigInt(clamp ?? 0) * 1_000_000_000n;
    for (const { path, data } of await madeFor(platforms, index, root, options, call)) {
      const { length: size } = data;
      yield encodeTarHeader({ path, type: "file", mode: 0o600, uid: 0, gid: 0, size, mtime });
      yield data;
      yield tarEnd.subarray(0, tarPadding(size));
    }
  }
  yield tarEnd;
}

function splitDirectory(path: string, clamp: number | undefined): Uint8Array {
  const mtime = BigInt(clamp ?? 0) * 1_000_000_000n;
  return encodeTarHeader({ path, type: "directory", mode: 0o755, uid: 0, gid: 0, size: 0, mtime });
}

/** Directories may be in several platforms; a file of one would overwrite that of another. */
function checkDistinct(trees: readonly MountedPlatform[]): void {
  if (trees.length < 2) return;
  const owners = new Map<string, string>();
  for (const { id, root } of trees) {
    for (const path of root === undefined ? [] : filesBelow(root, "")) {
      const other = owners.get(path);
      if (other !== undefined) throw overwritten(path, other, id);
      owners.set(path, id);
    }
  }
}

function* filesBelow(root: string, path: string): Iterable<string> {
  for (const name of readdirSync(path === "" ? root : `${root}/${path}`)) {
    const child = path === "" ? name : `${path}/${name}`;
    // An overlay lists what one of its layers removes, also where nothing was.
    const stat = lstatSync(`${root}/${child}`, { throwIfNoEntry: false });
    if (stat?.isDirectory()) yield* filesBelow(root, child);
    else if (stat) yield child;
  }
}

function overwritten(path: string, one: string, other: string): KilnError {
  return new KilnError(
    "EXPORT_FAILED",
    `${path} of ${one} would be overwritten by that of ${other}`,
    {
      hint: "Leave platform-split on: each platform then gets a directory of its own.",
    },
  );
}
