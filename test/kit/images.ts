// Small whole images for tests: configuration, a layer, manifest; indexes of them; attestations beside them.
import { type Digest, digestOf } from "../../src/base/index.ts";
import {
  type Descriptor,
  mediaTypes,
  type Platform,
  serializeImageConfig,
  serializeIndex,
  serializeManifest,
} from "../../src/formats/oci/index.ts";
import type { TestRegistry } from "./registry.ts";

export interface ImageWords {
  readonly tag?: string;
  readonly platform?: Platform;
  /** Of Docker's media types. */
  readonly docker?: boolean;
  /** What the layer holds: images with the same text share it. */
  readonly layer?: string;
  readonly created?: string;
}

/** Adds an image of one platform; the descriptor has the platform, as an index's entry. */
export function addImage(
  registry: TestRegistry,
  repository: string,
  words: ImageWords = {},
): Descriptor {
  const { platform = { os: "linux", architecture: "amd64" }, docker = false } = words;
  const layerText = words.layer ?? `layer for ${platform.architecture}${platform.variant ?? ""}`;
  const config = serializeImageConfig({
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    created: words.created ?? "2026-01-02T03:04:05Z",
    config: { Env: ["PATH=/bin"], Cmd: ["/hello"], Labels: { who: "<me>" } },
    rootfs: { type: "layers", diff_ids: [digestOf(layerText)] },
    history: [{ created_by: "COPY . ." }],
  });
  const types = docker
    ? ([mediaTypes.dockerConfig, mediaTypes.dockerLayerGzip, mediaTypes.dockerManifest] as const)
    : ([mediaTypes.ociConfig, mediaTypes.ociLayerGzip, mediaTypes.ociManifest] as const);
  const manifest = serializeManifest({
    mediaType: types[2],
    config: registry.addBlob(repository, config, types[0]),
    layers: [registry.addBlob(repository, layerText, types[1])],
  });
  return { ...registry.addManifest(repository, words.tag, manifest, types[2]), platform };
}

/** Adds an index of entries. */
export function addIndex(
  registry: TestRegistry,
  repository: string,
  tag: string | undefined,
  manifests: readonly Descriptor[],
  annotations?: Readonly<Record<string, string>>,
): Descriptor {
  const data = serializeIndex({
    mediaType: mediaTypes.ociIndex,
    manifests,
    ...(annotations ? { annotations } : {}),
  });
  return registry.addManifest(repository, tag, data, mediaTypes.ociIndex);
}

/** Adds provenance and a bill of materials about an image, as BuildKit stores them; the entry for the index. */
export function addAttestation(
  registry: TestRegistry,
  repository: string,
  about: Digest,
): Descriptor {
  const statement = (predicateType: string, predicate: unknown) => ({
    ...registry.addBlob(
      repository,
      JSON.stringify({
        _type: "https://in-toto.io/Statement/v0.1",
        predicateType,
        subject: [{ name: "_", digest: { sha256: about.slice(7) } }],
        predicate,
      }),
      mediaTypes.inToto,
    ),
    annotations: { "in-toto.io/predicate-type": predicateType },
  });
  const packages = [{ name: "busybox", versionInfo: "1.35" }];
  const data = serializeManifest({
    mediaType: mediaTypes.ociManifest,
    config: registry.addBlob(repository, "{}", mediaTypes.ociConfig),
    layers: [
      statement("https://spdx.dev/Document", { SPDXID: "SPDXRef-DOCUMENT", packages }),
      statement("https://slsa.dev/provenance/v1", {
        buildDefinition: { buildType: "https://example.com/build" },
      }),
    ],
  });
  return {
    ...registry.addManifest(repository, undefined, data, mediaTypes.ociManifest),
    platform: { os: "unknown", architecture: "unknown" },
    annotations: {
      "vnd.docker.reference.digest": about,
      "vnd.docker.reference.type": "attestation-manifest",
    },
  };
}
