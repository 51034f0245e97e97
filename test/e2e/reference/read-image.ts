// An exported image as plain data that can be compared line by line: configuration, layers, and the files they give.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { gunzipSync } from "node:zlib";
import { readTar, type TarHeader } from "../../../src/formats/archive/index.ts";

/** Lines are `path type mode owner ...`, sorted. */
export interface BuiltImage {
  readonly config: Readonly<Record<string, unknown>>;
  readonly history: readonly string[];
  /** What each layer beyond the base image's lists. */
  readonly layers: readonly (readonly string[])[];
  /** The final files, without those that are as in the base image. */
  readonly files: readonly string[];
}

interface Entry {
  readonly header: TarHeader;
  readonly hash: string;
  /** Of a hard link: what it is a name of. */
  readonly target?: Entry;
}

interface Config {
  readonly config?: Record<string, unknown>;
  readonly history?: {
    readonly created_by?: string;
    readonly empty_layer?: boolean;
    readonly comment?: string;
  }[];
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

/** Later than this were files made by the build itself. */
const now = 1_500_000_000n * 1_000_000_000n;

/** Reads the image in the OCI archive at `path`. `base` gives the layers that are not told, oldest first. */
export async function readImage(path: string, base: ReadonlySet<string>): Promise<BuiltImage> {
  const blobs = await readBlobs(path);
  const json = <T>(name: string) => JSON.parse(new TextDecoder().decode(blobs.get(name))) as T;
  const blob = <T>({ digest }: { digest: string }) => json<T>(`blobs/sha256/${digest.slice(7)}`);
  let manifest = json<Manifest>("index.json");
  while (manifest.manifests) manifest = blob<Manifest>(manifest.manifests[0] ?? { digest: "" });
  const config = blob<Config>(manifest.config);
  const before = new Set<string>();
  const files = new Map<string, Entry>();
  const layers: string[][] = [];
  const empty = new Set<number>();
  for (const [index, { digest }] of (manifest.layers ?? []).entries()) {
    const data = uncompressed(blobs.get(`blobs/sha256/${digest.slice(7)}`) ?? new Uint8Array());
    const entries = spellOut(await readEntries(data), files);
    for (const entry of entries) apply(files, entry);
    if (base.has(config.rootfs.diff_ids[index] ?? "")) {
      before.clear();
      for (const line of finalFiles(files)) before.add(withoutTime(line));
      continue;
    }
    if (entries.length > 0) layers.push(condensed(entries.map(lineOf).sort()));
    else empty.add(index);
  }
  return {
    config: { ...config.config },
    history: historyLines(config.history ?? [], empty),
    layers,
    files: condensed(finalFiles(files).filter((line) => !before.has(withoutTime(line)))),
  };
}

/** Long lists by their digest, so that recorded answers stay small. */
function condensed(lines: string[]): string[] {
  if (lines.length < 1000) return lines;
  const hash = createHash("sha256").update(lines.join("\n")).digest("hex");
  return [`${lines.length} lines ${hash}`];
}

/** A directory's time says only that something came or went in it. */
function withoutTime(line: string): string {
  return / directory /.test(line) ? line.replace(/ \S+$/, "") : line;
}

interface Manifest {
  readonly manifests?: readonly { readonly digest: string }[];
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[] | null;
}

function uncompressed(data: Uint8Array): Uint8Array {
  return data[0] === 0x1f ? gunzipSync(data) : data;
}

async function readBlobs(path: string): Promise<Map<string, Uint8Array>> {
  const blobs = new Map<string, Uint8Array>();
  for (const { header, data } of await readAll(createReadStream(path))) {
    if (header.type === "file") blobs.set(header.path, data);
  }
  return blobs;
}

async function readEntries(archive: Uint8Array): Promise<Entry[]> {
  const chunks = (async function* () {
    yield archive;
  })();
  return (await readAll(chunks)).map(({ header, data }) => ({
    header: { ...header, path: header.path.replace(/^(\.?\/)*/, "").replace(/\/$/, "") || "." },
    hash: createHash("sha256").update(data).digest("hex").slice(0, 12),
  }));
}

async function readAll(
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ header: TarHeader; data: Uint8Array }[]> {
  const found: { header: TarHeader; data: Uint8Array }[] = [];
  let current = new Uint8Array();
  await readTar(
    chunks,
    {
      entry(header) {
        current = new Uint8Array(header.type === "file" ? header.size : 0);
        found.push({ header, data: current });
      },
      data: (chunk, position) => current.set(chunk, position),
      end() {},
    },
    { signal: new AbortController().signal },
  );
  return found;
}

const opaqueMark = ".wh..wh..opq";

/** The entries with marks of opaque directories replaced by what they remove, one by one. */
function spellOut(entries: readonly Entry[], files: ReadonlyMap<string, Entry>): Entry[] {
  const kept = new Set(entries.map(({ header }) => header.path));
  return entries.flatMap((entry) => {
    const { path } = entry.header;
    if (!path.endsWith(opaqueMark)) return [entry];
    const directory = path.slice(0, -opaqueMark.length);
    const gone = [...files.keys()].filter(
      (one) => one.startsWith(directory) && !kept.has(one) && hasParentIn(one, directory, kept),
    );
    return gone.map((one) => {
      const cut = one.lastIndexOf("/") + 1;
      const whiteout = `${one.slice(0, cut)}.wh.${one.slice(cut)}`;
      return { ...entry, header: { ...entry.header, path: whiteout } };
    });
  });
}

/** False for what goes with a directory that goes. */
function hasParentIn(path: string, directory: string, kept: ReadonlySet<string>): boolean {
  const parent = path.slice(0, path.lastIndexOf("/"));
  return `${parent}/` === directory || kept.has(parent);
}

/** As OCI's image-spec says layers are applied. */
function apply(files: Map<string, Entry>, entry: Entry): void {
  const { path } = entry.header;
  const cut = path.lastIndexOf("/") + 1;
  const directory = path.slice(0, cut);
  const name = path.slice(cut);
  if (name.startsWith(".wh.")) {
    const gone = directory + name.slice(4);
    files.delete(gone);
    removeBelow(files, `${gone}/`);
    return;
  }
  if (entry.header.type !== "directory") removeBelow(files, `${path}/`);
  if (entry.header.type !== "hardlink") {
    files.set(path, entry);
    return;
  }
  const first = files.get((entry.header.linkname ?? "").replace(/^(\.?\/)*/, ""));
  if (!first) throw new Error(`${path} is a link to the missing ${entry.header.linkname}`);
  files.set(path, { ...entry, target: first.target ?? first });
}

function removeBelow(files: Map<string, Entry>, prefix: string): void {
  for (const path of files.keys()) if (path.startsWith(prefix)) files.delete(path);
}

/** Hard links are told by the first of their names, with what the file is. */
function finalFiles(files: ReadonlyMap<string, Entry>): string[] {
  const groups = new Map<Entry, string[]>();
  for (const [path, entry] of files) {
    const file = entry.target ?? entry;
    groups.set(file, [...(groups.get(file) ?? []), path]);
  }
  const lines: string[] = [];
  for (const [file, paths] of groups) {
    const [path = "", ...others] = paths.sort();
    lines.push(lineOf({ ...file, header: { ...file.header, path } }));
    lines.push(...others.map((other) => `${quote(other)} = ${quote(path)}`));
  }
  return lines.sort();
}

function lineOf({ header, hash }: Entry): string {
  const { path, type, mode, uid, gid, size, mtime, linkname, devMajor, devMinor, xattrs } = header;
  if (type === "hardlink") return `${quote(path)} = ${quote(linkname ?? "")}`;
  const time = path.split("/").pop()?.startsWith(".wh.")
    ? ""
    : mtime > now
      ? " now"
      : ` ${mtime / 1_000_000_000n}`;
  const device = type.endsWith("device") ? ` ${devMajor},${devMinor}` : "";
  const content =
    type === "file" ? ` ${size} ${hash}` : type === "symlink" ? ` -> ${quote(linkname ?? "")}` : "";
  const attributes = [...(xattrs ?? [])].map(
    ([name, value]) =>
      ` ${name}=${[...value].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`,
  );
  return `${quote(path)} ${type} ${mode.toString(8)} ${uid}:${gid}${device}${content}${time}${attributes.sort().join("")}`;
}

function quote(path: string): string {
  return /^[!-~]+$/.test(path) ? path : JSON.stringify(path);
}

/** Layers that hold nothing count as left out, as BuildKit means to: it knows them by what one version of gzip makes of them. */
function historyLines(
  history: NonNullable<Config["history"]>,
  empty: ReadonlySet<number>,
): string[] {
  let layer = 0;
  return history.map(({ created_by, empty_layer, comment }) => {
    const none = empty_layer === true || empty.has(layer);
    if (!empty_layer) layer++;
    return `${none ? "-" : "+"} ${created_by ?? ""} (${comment ?? ""})`;
  });
}

/** The diff IDs of the image in the OCI archive at `path`. */
export async function diffIdsOf(path: string): Promise<readonly string[]> {
  const blobs = await readBlobs(path);
  const text = (name: string) => new TextDecoder().decode(blobs.get(name));
  let manifest = JSON.parse(text("index.json")) as Manifest;
  while (manifest.manifests)
    manifest = JSON.parse(
      text(`blobs/sha256/${manifest.manifests[0]?.digest.slice(7)}`),
    ) as Manifest;
  const config = JSON.parse(text(`blobs/sha256/${manifest.config.digest.slice(7)}`)) as Config;
  return config.rootfs.diff_ids;
}
