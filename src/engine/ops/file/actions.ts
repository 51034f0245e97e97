// The actions of a FileOp, each on a writable directory that shows the layer being made.
import { lstatSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Call, fromNodeError, KilnError, resolveInRoot } from "../../../base/index.ts";
import type {
  CopyAction,
  MkdirAction,
  MkfileAction,
  RmAction,
  SymlinkAction,
} from "../../../formats/llb/index.ts";
import { createPathFilter } from "../../../formats/patterns/index.ts";
import { applyAttributes, type Owner } from "./attributes.ts";
import { type CopyOptions, copyInto, makeDirectories } from "./copy.ts";
import { parseModeChange, parseOctalMode } from "./mode.ts";
import { unpackInto } from "./unpack.ts";
import { directoryView, emptyView, type FileView, missingSource, resolveInView } from "./view.ts";
import { expandPresent } from "./wildcards.ts";

const rootOwner: Owner = { uid: 0, gid: 0 };

/** Of a copy into a layer of a snapshot: see `CopyOptions`. */
export type CopyShortcuts = Pick<CopyOptions, "upper" | "earlier">;

/** Copies every path that the action's source means; archives are unpacked where the action asks for it. */
export async function performCopy(
  action: CopyAction,
  view: FileView = emptyView,
  root: string,
  owner: Owner | undefined,
  call: Call,
  shortcuts: CopyShortcuts = {},
): Promise<void> {
  const sources = action.allowWildcard
    ? expandPresent(view, action.src, action.followSymlink)
    : [action.src];
  if (sources.length === 0 && !action.allowEmptyWildcard) throw notFound(`${action.src} not found`);
  for (const path of action.requiredPaths) {
    if (!view.lstat(resolveInView(view, path, false))) throw missingSource(view, path);
  }
  const options = { ...copyOptions(action, owner), ...shortcuts };
  if (!action.createDestPath) requireParent(root, action.dest);
  for (const source of sources) {
    if (action.attemptUnpack && (await unpackInto(view, source, root, action.dest, options, call)))
      continue;
    await copyInto(view, source, root, action.dest, options, call);
  }
}

function copyOptions(action: CopyAction, owner: Owner | undefined): CopyOptions {
  const words = action.modeStr || action.mode?.toString(8);
  const filtered = action.includePatterns.length > 0 || action.excludePatterns.length > 0;
  return {
    followSymlink: action.followSymlink,
    copyDirectoryContents: action.dirCopyContents,
    replaceExisting: action.alwaysReplaceExistingDestPaths,
    ...(owner ? { owner } : {}),
    ...(words === undefined ? {} : { mode: parseModeChange(words) }),
    directoryMode: (words === undefined ? undefined : parseOctalMode(words)) ?? 0o755,
    ...(action.timestamp === undefined ? {} : { time: action.timestamp }),
    ...(filtered
      ? { filter: createPathFilter(action.includePatterns, action.excludePatterns) }
      : {}),
  };
}

function requireParent(root: string, dest: string): void {
  const parent = resolveInRoot(root, dirname(dest), { followLast: true });
  if (lstatSync(parent, { throwIfNoEntry: false })) return;
  throw notFound(`failed to stat ${dest}: lstat ${dirname(dest)}: no such file or directory`);
}

/** Writes a file; its directory must exist. A file that is there keeps its mode and, unless the action has one, its owner. */
export function makeFile(root: string, action: MkfileAction, owner: Owner | undefined): void {
  const path = resolveInRoot(root, action.path, { followLast: true });
  attempt(`writing ${action.path}`, () => {
    // An image's FIFO would be waited at, its device be written to.
    const present = lstatSync(path, { throwIfNoEntry: false });
    const kept = present?.isFile() ? present : undefined;
    if (present && !kept && !present.isDirectory()) rmSync(path);
    writeFileSync(path, action.data);
    const whose = owner ?? (kept ? undefined : rootOwner);
    applyAttributes(path, {
      type: "file",
      mode: kept ? kept.mode & 0o7777 : action.mode & 0o777,
      ...(whose ? { owner: whose } : {}),
      ...timeOf(action),
    });
  });
}

/** Makes a directory, and parents of the same mode where the action wants them; what is there already stays as it is. */
export function makeDirectory(root: string, action: MkdirAction, owner: Owner | undefined): void {
  const path = resolveInRoot(root, action.path, { followLast: true });
  const mode = action.mode & 0o777;
  const options = { owner: owner ?? rootOwner, directoryMode: mode, ...timeOf(action) };
  attempt(`making ${action.path}`, () => {
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
    // Those of the place itself: a link on the way may lead to where nothing is.
    if (action.makeParents) makeDirectories(root, dirname(path).slice(root.length), options);
    mkdirSync(path);
    applyAttributes(path, { type: "directory", mode, ...options });
  });
}

/** Makes a symbolic link; fails where something is. */
export function makeSymlink(root: string, action: SymlinkAction, owner: Owner | undefined): void {
  const path = resolveInRoot(root, action.newPath, { followLast: false });
  attempt(`linking ${action.newPath}`, () => {
    symlinkSync(action.oldPath, path);
    applyAttributes(path, {
      type: "symlink",
      mode: 0o777,
      owner: owner ?? rootOwner,
      ...timeOf(action),
    });
  });
}

/** Removes files and whole directories; links are removed, never followed. */
export function remove(root: string, action: RmAction): void {
  const paths = action.allowWildcard
    ? expandPresent(directoryView(root), action.path, false)
    : [action.path];
  for (const one of paths) {
    const path = resolveInRoot(root, one, { followLast: false });
    if (path === root)
      throw new KilnError("DEFINITION_INVALID", "the root directory cannot be removed");
    if (!lstatSync(path, { throwIfNoEntry: false })) {
      if (action.allowNotFound) continue;
      throw notFound(`stat ${one}: no such file or directory`);
    }
    attempt(`removing ${one}`, () => rmSync(path, { recursive: true, force: true }));
  }
}

function timeOf(action: { readonly timestamp?: bigint }): { readonly time?: bigint } {
  return action.timestamp === undefined ? {} : { time: action.timestamp };
}

function notFound(message: string): KilnError {
  return new KilnError("COPY_NOT_FOUND", message);
}

function attempt(doing: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw fromNodeError(error, doing);
  }
}
