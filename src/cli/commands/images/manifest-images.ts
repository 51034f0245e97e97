// Images as `kiln manifest` sees them: read from a registry with their platform, put in a list in docker's form.
import { join } from "node:path";
import { digestOf, goJson, KilnError, readAll } from "../../../base/index.ts";
import {
  type Descriptor,
  formatReference,
  type Index,
  isConfigType,
  maxConfigSize,
  mediaTypes,
  type Platform,
  parseImageConfig,
  parseManifestDocument,
  parseReference,
  platformJson,
  platformOfConfig,
  withDefaultTag,
} from "../../../formats/oci/index.ts";
import type { Combined } from "../../../storage/image/index.ts";
import { dockerDirectory } from "../../config/index.ts";
import type { RunWorld } from "../command.ts";
import { descriptorAt, type Place, type Places } from "./image-places.ts";
import { type ListedManifest, type ManifestStore, openManifestStore } from "./manifest-store.ts";

export const insecureFlag = {
  type: "bool",
  usage: "Allow communication with an insecure registry",
} as const;

/** The list store beside docker's configuration: docker and Kiln see each other's lists. */
export function manifestStore(world: RunWorld): ManifestStore {
  return openManifestStore(join(dockerDirectory(world.env), "manifests"));
}

/** The whole name, `:latest` where nothing is said. Throws `REFERENCE_INVALID`. */
export function listName(text: string): string {
  return formatReference(withDefaultTag(parseReference(text)));
}

export type RemoteDocument =
  | { readonly kind: "manifest"; readonly manifest: ListedManifest }
  | { readonly kind: "index"; readonly index: Index };

/** What a registry has under a name: one image with its platform, or a list. Throws `IMAGE_NOT_FOUND`. */
export async function fetchDocument(
  name: string,
  places: Places,
  world: RunWorld,
): Promise<RemoteDocument> {
  const place = places.place(name);
  const found = await descriptorAt(place, world);
  const raw = await place.pull().readManifest(found, world.call);
  const document = parseManifestDocument(raw, found.mediaType);
  if (document.kind === "index") return { kind: "index", index: document.index };
  return { kind: "manifest", manifest: await listed(place, name, found, raw, world) };
}

/** An image behind an index's entry. */
export async function fetchEntry(
  name: string,
  entry: Descriptor,
  places: Places,
  world: RunWorld,
): Promise<ListedManifest> {
  const place = places.place(name);
  const raw = await place.pull().readManifest(entry, world.call);
  return { ref: `${name}@${entry.digest}`, descriptor: entry, raw };
}

async function listed(
  place: Place,
  name: string,
  found: Descriptor,
  raw: Uint8Array,
  world: RunWorld,
): Promise<ListedManifest> {
  const document = parseManifestDocument(raw, found.mediaType);
  if (document.kind === "index") throw new Error("a list was taken for an image");
  const { config, mediaType } = document.manifest;
  const ref = name.includes("@") ? name : `${name}@${found.digest}`;
  const descriptor = { ...found, mediaType };
  if (!isConfigType(config.mediaType)) return { ref, raw, descriptor };
  const bytes = await readAll(
    place.pull().read(config, world.call),
    maxConfigSize,
    `configuration of ${name}`,
  );
  return {
    ref,
    raw,
    descriptor: { ...descriptor, platform: platformOfConfig(parseImageConfig(bytes)) },
  };
}

/** The list as docker writes it: three blanks deep, OCI's index where the first image is OCI's. */
export function listDocument(entries: readonly Descriptor[]): Combined {
  const oci = entries[0]?.mediaType === mediaTypes.ociManifest;
  const mediaType = oci ? mediaTypes.ociIndex : mediaTypes.dockerIndex;
  const text = goJson({ schemaVersion: 2, mediaType, manifests: entries.map(entryJson) }, 3);
  const data = new TextEncoder().encode(text);
  return { data, descriptor: { mediaType, digest: digestOf(data), size: data.length } };
}

function entryJson({
  mediaType,
  size,
  digest,
  platform,
}: Descriptor): Readonly<Record<string, unknown>> {
  return {
    mediaType,
    size,
    digest,
    platform: platformJson(platform ?? { os: "", architecture: "" }),
  };
}

const architectures: Readonly<Record<string, string>> = {
  aix: "ppc64",
  android: "386 amd64 arm arm64",
  darwin: "386 amd64 arm arm64",
  dragonfly: "amd64",
  freebsd: "386 amd64 arm arm64 riscv64",
  js: "wasm",
  linux: "386 amd64 arm arm64 loong64 mips mipsle mips64 mips64le ppc64 ppc64le riscv64 s390x",
  netbsd: "386 amd64 arm arm64",
  openbsd: "386 amd64 arm arm64",
  plan9: "386 amd64 arm",
  solaris: "amd64",
  wasip1: "wasm",
  windows: "386 amd64 arm arm64",
};

/** Throws `PLATFORM_INVALID` for a combination that does not exist. */
export function checkPlatform({ os, architecture }: Platform, name: string): void {
  if (architectures[os]?.split(" ").includes(architecture)) return;
  const known = architectures[os];
  throw new KilnError(
    "PLATFORM_INVALID",
    `${name}: there is no operating system and architecture ${os || '""'}/${architecture || '""'}`,
    {
      hint: known
        ? `Architectures of ${os} are ${known.replaceAll(" ", ", ")}.`
        : "Set both with `kiln manifest annotate --os linux --arch ...`.",
    },
  );
}
