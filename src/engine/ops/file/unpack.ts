// ADD's unpacking: a local archive becomes its contents, anything else is left to the copy.
import { closeSync, openSync, readSync } from "node:fs";
import { type Bytes, type Call, isKilnError, resolveInRoot } from "../../../base/index.ts";
import {
  type Compression,
  detectCompression,
  isTarHeader,
} from "../../../formats/archive/index.ts";
import { extractTar } from "../../../storage/snapshot/index.ts";
import { type CopyOptions, makeDirectories } from "./copy.ts";
import { expand } from "./decompress.ts";
import { type FileView, resolveInView } from "./view.ts";

const chunkSize = 1 << 20;

/**
 * Unpacks `source` below the directory `target` of `root` when it is a tar archive, compressed or not; false when it is
 * something else, and nothing was changed. Behaviour: BuildKit's AttemptUnpackDockerCompatibility.
 */
export async function unpackInto(
  view: FileView,
  source: string,
  root: string,
  target: string,
  options: CopyOptions,
  call: Call,
): Promise<boolean> {
  const from = resolveInView(view, source, options.followSymlink);
  if (view.lstat(from)?.type !== "file") return false;
  const path = view.hostPath(from);
  const compression = detectCompression(firstBytes(path));
  if (!(await isArchive(path, compression, source, call))) return false;
  const { owner, time } = options;
  makeDirectories(root, target, { ...(owner ? { owner } : {}), ...(time ? { time } : {}) });
  const directory = resolveInRoot(root, target, { followLast: true });
  const extract = {
    root: directory,
    whiteouts: "none",
    ...(owner ? { owner } : {}),
  } as const;
  await extractTar(expand(readChunks(path), compression, source, call), extract, call);
  return true;
}

/** The reference takes what is compressed in a known way for an archive only if a tar header comes out. */
async function isArchive(
  path: string,
  compression: Compression,
  what: string,
  call: Call,
): Promise<boolean> {
  if (compression === "none") return isTarHeader(firstBytes(path));
  try {
    let head: Uint8Array<ArrayBufferLike> = new Uint8Array();
    for await (const chunk of expand(readChunks(path), compression, what, call)) {
      head = head.length === 0 ? chunk : joined(head, chunk);
      if (head.length >= 512) return isTarHeader(head.subarray(0, 512));
    }
  } catch (error) {
    // What is damaged is copied as it is; what cannot be looked into must not be taken for something else.
    if (isKilnError(error, "ARCHIVE_INVALID")) return false;
    throw error;
  }
  return false;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

function firstBytes(path: string): Uint8Array {
  const file = openSync(path, "r");
  try {
    const block = new Uint8Array(512);
    return block.subarray(0, readSync(file, block));
  } finally {
    closeSync(file);
  }
}

/** Synchronous reads, since mounted files are seen by this thread only. */
async function* readChunks(path: string): Bytes {
  const file = openSync(path, "r");
  try {
    for (;;) {
      const chunk = new Uint8Array(chunkSize);
      const size = readSync(file, chunk);
      if (size === 0) return;
      yield chunk.subarray(0, size);
    }
  } finally {
    closeSync(file);
  }
}
