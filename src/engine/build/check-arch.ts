// Before the export: are the programs that the build put into its results made for the processors that they are for?
import type { Buffer } from "node:buffer";
import { closeSync, type Dirent, lstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import type { BuildEvent, BuildRequest } from "../../api/index.ts";
import { type Call, compareNames, decodeName, fsPath, KilnError } from "../../base/index.ts";
import { formatPlatform, type Platform } from "../../formats/oci/index.ts";
import { type Snapshot, type Snapshotter, withMounted } from "../../storage/snapshot/index.ts";
import { readProgramHead } from "../executor/index.ts";
import { runStep } from "./step.ts";

/** A file for the wrong processor. */
export interface ForeignFile {
  /** Absolute in the result. */
  readonly path: string;
  /** GOARCH name of what it was built for. */
  readonly found: string;
}

/** Files that are named; the rest is counted. */
const mostNamed = 20;
/** How often a long walk lets others run, in milliseconds. */
const sliceMs = 30;
/** No ELF file is smaller: the header of a 32-bit one. */
const smallestElf = 52;

export interface CheckParts {
  readonly snapshotter: Snapshotter;
  readonly emit: (event: BuildEvent) => void;
  readonly now: () => Date;
}

/**
 * Looks at the layers that the build made; those of base images are what they were. With `warn` says what it finds, with
 * `error` throws `ARCHITECTURE_MISMATCH`.
 */
export async function checkArchitecture(
  mode: NonNullable<BuildRequest["checkArch"]>,
  { platform, snapshot }: { readonly platform: Platform; readonly snapshot: Snapshot | undefined },
  parts: CheckParts,
  call: Call,
): Promise<void> {
  if (!snapshot || snapshot.tree) return;
  const name = `checking programs for ${formatPlatform(platform)}`;
  const files = await runStep(
    { name, key: "check-arch", ...parts },
    (step) => foreignFiles(snapshot, platform, parts.snapshotter, step),
    call,
  );
  if (files.length === 0) return;
  if (mode === "error") throw mismatch(files, platform);
  for (const file of files.slice(0, mostNamed)) {
    const message = `${wordsOf(file)}, not for ${formatPlatform(platform)}`;
    const warning = { message, rule: "ForeignProgram" };
    parts.emit({ type: "warning", warning, at: parts.now() });
  }
}

function mismatch(files: readonly ForeignFile[], platform: Platform): KilnError {
  const wanted = formatPlatform(platform);
  const named = files.slice(0, mostNamed).map((file) => `  ${wordsOf(file)}`);
  const more = files.length > mostNamed ? [`  and ${files.length - mostNamed} more`] : [];
  const count = files.length === 1 ? "a file" : `${files.length} files`;
  return new KilnError(
    "ARCHITECTURE_MISMATCH",
    `the result for ${wanted} has ${count} for another processor:\n${[...named, ...more].join("\n")}`,
    {
      hint: "Build for $TARGETARCH, or in a stage without --platform=$BUILDPLATFORM; --check-arch=warn only tells. Nothing was exported.",
      details: { wanted, files: files.slice(0, mostNamed).map(wordsOf).join(", ") },
    },
  );
}

function wordsOf({ path, found }: ForeignFile): string {
  return `${path} is built for ${found}`;
}

/** In the order of their paths. */
async function foreignFiles(
  snapshot: Snapshot,
  { architecture }: Platform,
  snapshotter: Snapshotter,
  call: Call,
): Promise<readonly ForeignFile[]> {
  const suspects = new Map<string, ForeignFile>();
  for (const layer of snapshot.layers) {
    if (layer.blob) continue;
    const directory = snapshotter.directory(layer);
    if (directory === undefined) continue;
    for await (const file of programsIn(directory, call))
      if (!suits(file.found, architecture)) suspects.set(file.path, file);
  }
  if (suspects.size === 0) return [];
  // A later layer may have replaced or removed what an earlier one brought.
  return await withMounted(await snapshot.mounts(call), call, (root) =>
    [...suspects.values()]
      .filter(({ path }) => {
        const found = programAt(root, path);
        return found !== undefined && !suits(found, architecture);
      })
      .toSorted((a, b) => compareNames(a.path, b.path)),
  );
}

/** A 64-bit x86 runs its own 32-bit programs. */
function suits(found: string, wanted: string): boolean {
  return found === wanted || (wanted === "amd64" && (found === "386" || found === "x32"));
}

async function* programsIn(directory: string, call: Call): AsyncIterable<ForeignFile> {
  const waiting = [""];
  let sliceEnd = performance.now() + sliceMs;
  for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
    for (const entry of entriesOf(join(directory, place))) {
      const path = `${place}/${decodeName(entry.name)}`;
      if (entry.isDirectory()) waiting.push(path);
      const found = entry.isFile() ? architectureOf(join(directory, path)) : undefined;
      if (found !== undefined) yield { path, found };
    }
    if (performance.now() <= sliceEnd) continue;
    await new Promise((resolve) => setImmediate(resolve));
    call.signal.throwIfAborted();
    sliceEnd = performance.now() + sliceMs;
  }
}

function entriesOf(directory: string): readonly Dirent<Buffer>[] {
  return readdirSync(fsPath(directory), { withFileTypes: true, encoding: "buffer" });
}

/** The program at `path`, with no link on the way there: that would be another file. */
function programAt(root: string, path: string): string | undefined {
  let at = root;
  const parts = path.split("/").filter(Boolean);
  for (const [index, part] of parts.entries()) {
    at = join(at, part);
    const stat = lstatSync(fsPath(at), { throwIfNoEntry: false });
    const wanted = index === parts.length - 1 ? stat?.isFile() : stat?.isDirectory();
    if (!wanted) return undefined;
  }
  return architectureOf(at);
}

function architectureOf(path: string): string | undefined {
  const file = openSync(fsPath(path), "r");
  try {
    const head = new Uint8Array(smallestElf);
    return readSync(file, head, 0, head.length, 0) < head.length
      ? undefined
      : readProgramHead(head);
  } finally {
    closeSync(file);
  }
}
