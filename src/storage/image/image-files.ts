// All files of an image, without unpacking it: layers are read one over the other, whiteouts applied.
import {
  type Call,
  createDigester,
  type Digest,
  type Digester,
  KilnError,
  runAll,
} from "../../base/index.ts";
import { decompress, readTar, type TarHeader } from "../../formats/archive/index.ts";
import { type Descriptor, isLayerType } from "../../formats/oci/index.ts";
import type { BlobReader } from "./blob-reader.ts";

/** One path of an image. */
export interface ImageFile {
  readonly header: TarHeader;
  /** Of a regular file's contents. */
  readonly digest: Digest | undefined;
  /** Index of the layer that it is from. */
  readonly layer: number;
}

/** Most paths of one image. */
const maxFiles = 5_000_000;

const opaque = ".wh..wh..opq";
const whiteout = ".wh.";

interface LayerFile {
  readonly path: string;
  readonly header: TarHeader;
  readonly digest: Digest | undefined;
}

/** By path without a leading slash. Throws what reading blobs throws, and `IMAGE_INVALID` for more files than anybody has. */
export async function readImageFiles(
  layers: readonly Descriptor[],
  read: BlobReader,
  call: Call,
): Promise<ReadonlyMap<string, ImageFile>> {
  const files = new Map<string, ImageFile>();
  /** Every path that has had something below it, also where no layer lists it as a directory. */
  const parents = new Set<string>();
  const listed = await runAll(
    layers.filter(({ mediaType }) => isLayerType(mediaType)),
    (layer, c) => listLayer(layer, read, c),
    call,
  );
  for (const [layer, entries] of listed.entries()) {
    for (const { path } of entries) hide(files, path);
    for (const { path, header, digest } of entries) {
      if (baseOf(path).startsWith(whiteout)) continue;
      if (header.type !== "directory" && parents.has(path)) removeBelow(files, path);
      addParents(parents, path);
      files.set(path, { header, digest: contents(header, digest, files), layer });
    }
    if (files.size > maxFiles)
      throw new KilnError("IMAGE_INVALID", `an image with more than ${maxFiles} files`);
  }
  return files;
}

/** A further name of a file has the contents of the first one. */
function contents(
  { type, linkname }: TarHeader,
  own: Digest | undefined,
  files: ReadonlyMap<string, ImageFile>,
): Digest | undefined {
  return type === "hardlink" && linkname !== undefined ? files.get(clean(linkname))?.digest : own;
}

async function listLayer(
  layer: Descriptor,
  read: BlobReader,
  call: Call,
): Promise<readonly LayerFile[]> {
  const found: LayerFile[] = [];
  let header: TarHeader | undefined;
  let digester: Digester | undefined;
  let at = 0;
  const fill = (to: number) => {
    for (; at < to; at += Math.min(zeros.length, to - at))
      digester?.update(zeros.subarray(0, Math.min(zeros.length, to - at)));
  };
  const data = decompress(read(layer, call), `layer ${layer.digest}`);
  await readTar(
    data,
    {
      entry(next) {
        header = next;
        at = 0;
        digester = next.type === "file" ? createDigester() : undefined;
      },
      data(chunk, position) {
        fill(position);
        digester?.update(chunk);
        at = position + chunk.length;
      },
      end() {
        if (!header) return;
        fill(header.size);
        found.push({ path: clean(header.path), header, digest: digester?.digest() });
      },
    },
    call,
  );
  return found;
}

const zeros = new Uint8Array(64 * 1024);

/** Takes away what a whiteout says is gone. */
function hide(files: Map<string, ImageFile>, path: string): void {
  const base = baseOf(path);
  if (!base.startsWith(whiteout)) return;
  const parent = path.slice(0, Math.max(0, path.length - base.length - 1));
  if (base === opaque) removeBelow(files, parent);
  else {
    const gone = join(parent, base.slice(whiteout.length));
    files.delete(gone);
    removeBelow(files, gone);
  }
}

function addParents(parents: Set<string>, path: string): void {
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
    const parent = path.slice(0, at);
    if (parents.has(parent)) return;
    parents.add(parent);
  }
}

function removeBelow(files: Map<string, ImageFile>, path: string): void {
  const prefix = path === "" ? "" : `${path}/`;
  for (const key of files.keys()) if (key.startsWith(prefix)) files.delete(key);
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function join(parent: string, name: string): string {
  return parent === "" ? name : `${parent}/${name}`;
}

function clean(path: string): string {
  return path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
}
