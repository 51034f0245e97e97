// Reading image archives into the store: OCI layouts in a tar, and what `docker save` writes. Sets no names.
import {
  type Bytes,
  bytesOf,
  type Call,
  type Digest,
  digestOf,
  isDigest,
  isRecord,
  KilnError,
  parseJson,
  readAll,
} from "../../base/index.ts";
import { decompress, tarEntries } from "../../formats/archive/index.ts";
import {
  type Descriptor,
  formatReference,
  maxManifestSize,
  mediaTypes,
  parseDescriptor,
  parseManifestDocument,
  parseReference,
  serializeManifest,
  withDefaultTag,
} from "../../formats/oci/index.ts";
import type { ContentStore } from "../content/index.ts";

/** An image that an archive holds, under the name that the archive gives it: a wish, and nobody has to grant it. */
export interface LoadedImage {
  /** Whole, with its tag; undefined where the archive names none. */
  readonly name: string | undefined;
  readonly descriptor: Descriptor;
}

/** Images that an archive may list. */
const maxImages = 10_000;

/**
 * Puts every blob of an archive, compressed or not, into the store, each verified against its name. Throws
 * `ARCHIVE_INVALID`, `IMAGE_INVALID`, and `BLOB_CORRUPT` where a blob is not what it is called.
 */
export async function loadArchive(
  archive: Bytes,
  content: ContentStore,
  call: Call,
): Promise<readonly LoadedImage[]> {
  const documents = new Map<string, unknown>();
  const files = new Map<string, Descriptor>();
  const sizes = new Map<string, number>();
  for await (const { header, data } of tarEntries(decompress(archive, "the archive"), call)) {
    const path = header.path.replace(/^(\.\/)+/, "");
    if (header.type !== "file") continue;
    if (path === "index.json" || path === "manifest.json") {
      const bytes = await readAll(data, maxManifestSize, path);
      documents.set(path, parseJson(new TextDecoder().decode(bytes), path));
      continue;
    }
    const digest = blobDigest(path);
    if (digest) {
      sizes.set(digest, header.size);
      await content.write({ mediaType: "", digest, size: header.size }, () => data, call);
    } else if (/\.(tar|json)$/.test(path)) {
      files.set(path, await content.ingest("", data, call));
    }
  }
  if (documents.has("index.json")) return listedImages(documents.get("index.json"), sizes);
  if (documents.has("manifest.json"))
    return dockerImages(documents.get("manifest.json"), files, sizes, content, call);
  throw new KilnError(
    "ARCHIVE_INVALID",
    "the archive holds no image: neither index.json nor manifest.json is in it",
  );
}

function blobDigest(path: string): Digest | undefined {
  const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path)?.[1];
  const digest = `sha256:${hex}`;
  return isDigest(digest) ? digest : undefined;
}

function listedImages(index: unknown, sizes: ReadonlyMap<string, number>): readonly LoadedImage[] {
  const manifests = isRecord(index) ? index["manifests"] : undefined;
  if (!Array.isArray(manifests) || manifests.length > maxImages)
    throw new KilnError(
      "IMAGE_INVALID",
      "index.json of the archive lists no manifests, or too many",
    );
  return manifests.map((entry, i) => {
    const { annotations = {}, ...descriptor } = parseDescriptor(
      entry,
      `index.json: manifest ${i + 1}`,
    );
    if (sizes.get(descriptor.digest) !== descriptor.size)
      throw new KilnError(
        "IMAGE_INVALID",
        `the archive lists ${descriptor.digest}, but does not hold it`,
      );
    const { mediaType, digest, size } = descriptor;
    return { name: nameIn(annotations), descriptor: { mediaType, digest, size } };
  });
}

function nameIn(annotations: Readonly<Record<string, string>>): string | undefined {
  const whole = annotations["io.containerd.image.name"];
  const short = annotations["org.opencontainers.image.ref.name"];
  const text = whole ?? (short && /[/:]/.test(short) ? short : undefined);
  return text === undefined ? undefined : completed(text);
}

/** A name that is none counts as missing: archives are not trusted. */
function completed(text: string): string | undefined {
  try {
    return formatReference(withDefaultTag(parseReference(text)));
  } catch {
    return undefined;
  }
}

/** `docker save` without a layout: configurations and layers by path, from which a manifest is made. */
async function dockerImages(
  list: unknown,
  files: ReadonlyMap<string, Descriptor>,
  sizes: ReadonlyMap<string, number>,
  content: ContentStore,
  call: Call,
): Promise<readonly LoadedImage[]> {
  if (!Array.isArray(list) || list.length > maxImages)
    throw new KilnError("IMAGE_INVALID", "manifest.json of the archive is no list, or too long");
  const find = (path: unknown, mediaType: string): Descriptor => {
    const digest = blobDigest(String(path));
    const size = digest && sizes.get(digest);
    const found = digest && size !== undefined ? { digest, size } : files.get(String(path));
    if (found) return { mediaType, digest: found.digest, size: found.size };
    throw new KilnError(
      "IMAGE_INVALID",
      `the archive lists ${JSON.stringify(path)}, but does not hold it`,
    );
  };
  const images: LoadedImage[] = [];
  for (const entry of list) {
    const { Config: config, RepoTags: tags, Layers: layers } = isRecord(entry) ? entry : {};
    const data = serializeManifest({
      mediaType: mediaTypes.dockerManifest,
      config: find(config, mediaTypes.dockerConfig),
      layers: (Array.isArray(layers) ? layers : []).map((path) =>
        find(path, mediaTypes.dockerLayer),
      ),
    });
    parseManifestDocument(data);
    const descriptor = {
      mediaType: mediaTypes.dockerManifest,
      digest: digestOf(data),
      size: data.length,
    };
    await content.write(descriptor, () => bytesOf(data), call);
    const names = (Array.isArray(tags) ? tags : []).map((tag) => completed(String(tag)));
    for (const name of names.length > 0 ? names : [undefined]) images.push({ name, descriptor });
  }
  return images;
}
