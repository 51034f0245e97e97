// What the OCI image specification demands of documents, checked independently of the code that writes them.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

type Json = Readonly<Record<string, unknown>>;

const digestPattern = /^sha256:[a-f0-9]{64}$/;
const typePattern =
  /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Every violation in what a registry of the tests keeps on disk under its tags; `data` is its root directory. */
export function validateRegistry(data: string): readonly string[] {
  const base = join(data, "docker/registry/v2");
  const problems: string[] = [];
  const say: Say = (where, what) => problems.push(`${where}: ${what}`);
  const blobs = (digest: string) => {
    const [algorithm = "", hex = ""] = digest.split(":");
    return join(base, "blobs", algorithm, hex.slice(0, 2), hex, "data");
  };
  for (const link of tagLinks(join(base, "repositories"))) {
    // Cosign's signatures say nothing where an image names its processor.
    if (link.endsWith(".sig")) continue;
    const digest = readFileSync(join(link, "current/link"), "utf8");
    const document = readJson(blobs(digest), say);
    if (!document) continue;
    const where = `${link.slice(base.length)} ${digest}`;
    if (Array.isArray(document["manifests"])) checkIndex(where, document, blobs, say, 0);
    else checkManifest(where, document, blobs, say);
  }
  return problems;
}

/** Directories of tags below a directory of repositories. */
function tagLinks(directory: string): readonly string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith("/current/link"))
    .map((path) => join(directory, path, "../.."));
}

/** Every violation of image-layout.md, image-index.md, manifest.md, config.md and descriptor.md in a layout; empty is valid. */
export function validateLayout(directory: string): readonly string[] {
  const problems: string[] = [];
  const say = (where: string, what: string) => problems.push(`${where}: ${what}`);
  const layout = readJson(join(directory, "oci-layout"), say);
  if (layout?.["imageLayoutVersion"] !== "1.0.0") say("oci-layout", "imageLayoutVersion");
  const index = readJson(join(directory, "index.json"), say);
  const blobs = (digest: string) => join(directory, "blobs", digest.replace(":", "/"));
  if (index) checkIndex("index.json", index, blobs, say, 0);
  for (const name of readdirSync(join(directory, "blobs/sha256"))) {
    const data = readFileSync(join(directory, "blobs/sha256", name));
    if (sha256(data) !== name) say(name, "the blob is not what its name says");
  }
  return problems;
}

type Say = (where: string, what: string) => void;

/** The file of a blob. */
type Blobs = (digest: string) => string;

function checkIndex(where: string, index: Json, blobs: Blobs, say: Say, depth: number): void {
  if (index["schemaVersion"] !== 2) say(where, "schemaVersion is not 2");
  if ("layers" in index || "config" in index) say(where, "both an index and a manifest");
  checkAnnotations(where, index["annotations"], say);
  const manifests = index["manifests"];
  if (!Array.isArray(manifests)) {
    say(where, "manifests is no list");
    return;
  }
  for (const [i, entry] of manifests.entries()) {
    const at = `${where} manifests[${i}]`;
    const data = checkDescriptor(at, entry, blobs, say);
    // An index may list anything: caches list layers.
    if (!data || !/index|manifest/.test(entry.mediaType)) continue;
    if (entry.platform !== undefined) {
      const { architecture, os } = entry.platform as Json;
      if (typeof architecture !== "string" || typeof os !== "string") say(at, "platform");
    }
    const document = JSON.parse(new TextDecoder().decode(data)) as Json;
    if (document["mediaType"] !== undefined && document["mediaType"] !== entry.mediaType)
      say(at, `mediaType ${entry.mediaType} is not the document's own ${document["mediaType"]}`);
    if (/index|manifest\.list/.test(entry.mediaType)) {
      if (depth > 2) say(at, "indexes nest too deep");
      else checkIndex(at, document, blobs, say, depth + 1);
    } else checkManifest(at, document, blobs, say);
  }
}

function checkManifest(where: string, manifest: Json, files: Blobs, say: Say): void {
  if (manifest["schemaVersion"] !== 2) say(where, "schemaVersion is not 2");
  checkAnnotations(where, manifest["annotations"], say);
  const { config, layers, subject, artifactType } = manifest as Record<string, unknown>;
  if (!Array.isArray(layers)) {
    say(where, "layers is no list");
    return;
  }
  const data = checkDescriptor(`${where} config`, config, files, say);
  const blobs = layers.map((layer, i) =>
    checkDescriptor(`${where} layers[${i}]`, layer, files, say),
  );
  if (subject !== undefined) checkDescriptor(`${where} subject`, subject, undefined, say);
  const type = (config as Json | undefined)?.["mediaType"];
  if (type === "application/vnd.oci.empty.v1+json") {
    if (artifactType === undefined) say(where, "an empty config without an artifactType");
    return;
  }
  if (data && /image\.(config\.)?v1\+json$/.test(String(type)))
    checkConfig(`${where} config`, JSON.parse(new TextDecoder().decode(data)), blobs, layers, say);
}

function checkConfig(
  where: string,
  config: Json,
  blobs: readonly (Uint8Array | undefined)[],
  layers: readonly Json[],
  say: Say,
): void {
  for (const name of ["architecture", "os"])
    if (typeof config[name] !== "string" || config[name] === "") say(where, `${name} is missing`);
  const { created, rootfs, history } = config as Record<string, unknown>;
  if (created !== undefined && !timePattern.test(String(created))) say(where, `created ${created}`);
  const { type, diff_ids: ids } = (rootfs ?? {}) as Record<string, unknown>;
  if (type !== "layers" || !Array.isArray(ids)) {
    say(where, "rootfs");
    return;
  }
  if (ids.length !== layers.length) say(where, `${ids.length} diff_ids, ${layers.length} layers`);
  for (const [i, id] of ids.entries()) {
    const data = blobs[i];
    const mediaType = String(layers[i]?.["mediaType"]);
    if (!digestPattern.test(id)) say(where, `diff_ids[${i}] ${id}`);
    const plain = /gzip$/.test(mediaType)
      ? data && gunzipSync(data)
      : /tar$/.test(mediaType)
        ? data
        : undefined;
    if (plain && `sha256:${sha256(plain)}` !== id) say(where, `diff_ids[${i}] is not the layer's`);
  }
  if (Array.isArray(history)) {
    const filled = history.filter((line) => !line.empty_layer).length;
    if (filled !== layers.length)
      say(where, `${filled} lines of history with a layer, ${layers.length} layers`);
    for (const line of history)
      if (line.created !== undefined && !timePattern.test(line.created))
        say(where, `history ${line.created}`);
  }
}

/** The blob, where it has to be and is there. */
function checkDescriptor(
  where: string,
  value: unknown,
  blobs: Blobs | undefined,
  say: Say,
): Uint8Array | undefined {
  const { mediaType, digest, size, annotations } = (value ?? {}) as Record<string, unknown>;
  if (!typePattern.test(String(mediaType))) say(where, `mediaType ${mediaType}`);
  if (!digestPattern.test(String(digest))) {
    say(where, `digest ${digest}`);
    return undefined;
  }
  if (!Number.isSafeInteger(size) || Number(size) < 0) say(where, `size ${size}`);
  checkAnnotations(where, annotations, say);
  if (blobs === undefined) return undefined;
  const path = blobs(String(digest));
  if (!existsSync(path)) {
    say(where, `${digest} is not there`);
    return undefined;
  }
  if (statSync(path).size !== size)
    say(where, `${digest} has ${statSync(path).size} bytes, not ${size}`);
  return readFileSync(path);
}

function checkAnnotations(where: string, value: unknown, say: Say): void {
  if (value === undefined) return;
  if (typeof value !== "object" || value === null || Array.isArray(value))
    say(where, "annotations");
  else if (Object.entries(value).some(([key, one]) => key === "" || typeof one !== "string"))
    say(where, "annotations are not words by name");
}

function readJson(path: string, say: Say): Json | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Json;
  } catch (error) {
    say(path, String(error));
    return undefined;
  }
}

function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
