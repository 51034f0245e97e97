// An OCI image layout (image-layout.md) in a directory, as a repository: pulled from and pushed to like any other.
import { createReadStream, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  type Bytes,
  bytesOf,
  type Call,
  type Digest,
  digestHex,
  fromNodeError,
  goJson,
  isDigest,
  isRecord,
  KilnError,
  parseJson,
  readAll,
  temporaryName,
  verified,
  writeFileAtomic,
} from "../../base/index.ts";
import {
  type Descriptor,
  descriptorJson,
  formatReference,
  maxManifestSize,
  mediaTypes,
  parseDescriptor,
  parseManifestDocument,
  type Reference,
} from "../../formats/oci/index.ts";
import type { PushRepository } from "../registry/index.ts";
import { isAttestation } from "./attestations.ts";

/** Annotations by which entries of `index.json` say their name. */
const refName = "org.opencontainers.image.ref.name";
const imageName = "io.containerd.image.name";

export interface OciLayoutOptions {
  /** Makes the directory when something is written; else it must be a layout already. */
  readonly create?: boolean;
  /** The whole name that entries get beside their tag, as containerd's importer and Kiln's own exports have it. */
  readonly name?: Reference;
}

/** Throws `IMAGE_NOT_FOUND` where the directory is no layout and is not to become one. */
export function openOciLayout(directory: string, options: OciLayoutOptions = {}): PushRepository {
  if (!options.create && !existsSync(join(directory, "index.json"))) {
    throw new KilnError(
      "IMAGE_NOT_FOUND",
      `${directory} is no OCI image layout: it has no index.json`,
    );
  }
  const path = (digest: Digest) => join(directory, "blobs/sha256", digestHex(digest));
  const has = async (digest: Digest) => existsSync(path(digest));
  const read = (blob: Descriptor, call: Call) =>
    verified(
      fileBytes(path(blob.digest), directory, blob, call),
      blob.digest,
      blob.size,
      `blob ${blob.digest} of ${directory}`,
    );
  const push: PushRepository["push"] = async (blob, data, { onProgress }, call) => {
    if (await has(blob.digest)) return "exists";
    prepare(directory);
    await writeBlob(
      path(blob.digest),
      verified(data(), blob.digest, blob.size, `blob ${blob.digest}`),
      call,
    );
    onProgress?.(blob.size, blob.size);
    return "uploaded";
  };
  return {
    has,
    read,
    push,
    async write(blob, data, call) {
      await push(blob, data, {}, call);
    },
    resolve: async (reference) => find(directory, path, reference),
    readManifest: (descriptor, call) =>
      readAll(read(descriptor, call), maxManifestSize, `manifest ${descriptor.digest}`),
    async writeManifest(descriptor, data, tag, call) {
      await push(descriptor, () => bytesOf(data), {}, call);
      if (tag !== undefined) tagEntry(directory, descriptor, tag, options.name);
    },
  };
}

/** All that `index.json` lists, in order. */
export function layoutEntries(directory: string): readonly Descriptor[] {
  const file = join(directory, "index.json");
  if (!existsSync(file)) return [];
  if (statSync(file).size > maxManifestSize)
    throw new KilnError("IMAGE_INVALID", `${file}: larger than ${maxManifestSize} bytes`);
  const document = parseJson(readFileSync(file, "utf8"), file);
  const manifests = isRecord(document) ? document["manifests"] : undefined;
  if (!Array.isArray(manifests)) throw new KilnError("IMAGE_INVALID", `${file} lists no manifests`);
  return manifests.map((entry, i) => parseDescriptor(entry, `${file}: manifest ${i + 1}`));
}

/** The tag by which an entry is known. */
function tagOf({ annotations = {} }: Descriptor): string | undefined {
  const name = annotations[refName];
  // Some write the whole name there.
  return name === undefined ? undefined : name.slice(name.lastIndexOf(":") + 1);
}

/** By digest, anything that is there; by tag, the entry of that name, else the only one where nobody asks for more. */
function find(
  directory: string,
  path: (digest: Digest) => string,
  reference: string,
): Descriptor | undefined {
  const entries = layoutEntries(directory);
  if (isDigest(reference)) {
    const listed = entries.find(({ digest }) => digest === reference);
    return listed ? bare(listed) : byContent(path(reference), reference);
  }
  const named = entries.filter((entry) => tagOf(entry) === reference);
  // What is said about an image is not what is meant by it.
  const images = entries.filter((entry) => !isAttestation(entry));
  const only = reference === "latest" && images.length === 1 ? images : [];
  const found = named.at(-1) ?? only[0];
  return found && bare(found);
}

function bare({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

function byContent(file: string, digest: Digest): Descriptor | undefined {
  if (!existsSync(file) || statSync(file).size > maxManifestSize) return undefined;
  const data = readFileSync(file);
  const document = parseManifestDocument(data);
  const { mediaType } = document.kind === "index" ? document.index : document.manifest;
  return { mediaType, digest, size: data.length };
}

function prepare(directory: string): void {
  try {
    mkdirSync(join(directory, "blobs/sha256"), { recursive: true });
    const marker = join(directory, "oci-layout");
    if (!existsSync(marker))
      writeFileAtomic(marker, goJson({ imageLayoutVersion: "1.0.0" }), 0o644);
    const index = join(directory, "index.json");
    if (!existsSync(index)) writeIndex(directory, []);
  } catch (error) {
    throw fromNodeError(error, `writing the OCI layout ${directory}`);
  }
}

function writeIndex(directory: string, entries: readonly Descriptor[]): void {
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: entries.map(descriptorJson),
  };
  writeFileAtomic(join(directory, "index.json"), goJson(document), 0o644);
}

/** The tag names this image and no other from now on. */
function tagEntry(directory: string, descriptor: Descriptor, tag: string, name?: Reference): void {
  const others = layoutEntries(directory).filter((entry) => tagOf(entry) !== tag);
  const annotations = {
    ...(name
      ? { [imageName]: formatReference({ domain: name.domain, path: name.path, tag }) }
      : {}),
    [refName]: tag,
  };
  writeIndex(directory, [...others, { ...bare(descriptor), annotations }]);
}

async function* fileBytes(file: string, directory: string, blob: Descriptor, call: Call): Bytes {
  try {
    yield* createReadStream(file, { signal: call.signal });
  } catch (error) {
    call.signal.throwIfAborted();
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      throw fromNodeError(error, `reading blob ${blob.digest} of ${directory}`);
    throw new KilnError("BLOB_NOT_FOUND", `${directory} does not have blob ${blob.digest}`);
  }
}

/** Seen only when it is whole. */
async function writeBlob(file: string, data: Bytes, call: Call): Promise<void> {
  const partial = `${file}.${temporaryName()}`;
  try {
    const handle = await open(partial, "wx", 0o644);
    try {
      for await (const chunk of data) {
        call.signal.throwIfAborted();
        await handle.writeFile(chunk);
      }
    } finally {
      await handle.close();
    }
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw fromNodeError(error, `writing ${file}`);
  }
}
