// What a template of `imagetools inspect` sees: .Name, .Manifest, .Image, .Provenance and .SBOM, read when asked for.
import { type Call, readAll, runAll } from "../../../base/index.ts";
import {
  type Descriptor,
  descriptorJson,
  formatPlatform,
  formatPlatformFully,
  type Index,
  isConfigType,
  isManifestType,
  maxConfigSize,
  normalizePlatform,
  type Platform,
  parseImageConfig,
  parseManifest,
  platformOfConfig,
} from "../../../formats/oci/index.ts";
import { arranged, jsonOf, type Shape, Struct, structOf } from "../../../formats/template/index.ts";
import {
  type Attestation,
  isAttestation,
  isProvenance,
  isSpdx,
  readAttestations,
} from "../../../storage/image/index.ts";
import type { PullRepository, RepositoryListing } from "../../../storage/registry/index.ts";

const platformShape: Shape = {
  Architecture: { member: "architecture", zero: "" },
  OS: { member: "os", zero: "" },
  OSVersion: { member: "os.version", zero: "" },
  OSFeatures: { member: "os.features", zero: [] },
  Variant: { member: "variant", zero: "" },
};

const descriptorShape: Shape = {
  MediaType: { member: "mediaType", zero: "" },
  Digest: { member: "digest", zero: "" },
  Size: { member: "size", zero: 0 },
  URLs: { member: "urls", zero: [] },
  Annotations: { member: "annotations", zero: {} },
  Data: { member: "data", zero: "" },
  Platform: { member: "platform", shape: platformShape },
  ArtifactType: { member: "artifactType", zero: "" },
};

/** Of an index, and of what an index does not list: `.Manifest` of a single image is its descriptor. */
const manifestShape: Shape = {
  SchemaVersion: { member: "schemaVersion", zero: 0 },
  MediaType: { member: "mediaType", zero: "" },
  Digest: { member: "digest", zero: "" },
  Size: { member: "size", zero: 0 },
  Manifests: { member: "manifests", shape: descriptorShape, list: true, zero: [] },
  Annotations: { member: "annotations", zero: {} },
};

const historyShape: Shape = {
  Created: { member: "created", time: true },
  CreatedBy: { member: "created_by", zero: "" },
  Author: { member: "author", zero: "" },
  Comment: { member: "comment", zero: "" },
  EmptyLayer: { member: "empty_layer", zero: false },
};

const names = (...members: readonly string[]): Shape =>
  Object.fromEntries(members.map((member) => [member, { member }]));

const imageShape: Shape = {
  Created: { member: "created", time: true },
  Author: { member: "author", zero: "" },
  ...platformShape,
  Config: {
    member: "config",
    shape: names(
      "User",
      "ExposedPorts",
      "Env",
      "Entrypoint",
      "Cmd",
      "Volumes",
      "WorkingDir",
      "Labels",
      "StopSignal",
      "ArgsEscaped",
      "Healthcheck",
      "OnBuild",
      "Shell",
    ),
  },
  RootFS: {
    member: "rootfs",
    shape: { Type: { member: "type" }, DiffIDs: { member: "diff_ids" } },
  },
  History: { member: "history", shape: historyShape, list: true, zero: [] },
};

export interface Inspected {
  /** The whole name. */
  readonly name: string;
  readonly descriptor: Descriptor;
  /** The document as it is stored. */
  readonly data: Uint8Array;
  /** Undefined where the name stands for one image. */
  readonly index: Index | undefined;
  readonly repository: PullRepository;
  /** What else there is in its repository; undefined for OCI layouts. */
  readonly listing?: Pick<RepositoryListing, "referrers"> | undefined;
}

/** Which fields a template mentions: others are not read. */
export interface WantedFields {
  readonly image: boolean;
  readonly attestations: boolean;
}

/** The value for the template. Image, Provenance and SBOM are maps by platform where there are several images. */
export async function inspectValue(
  inspected: Inspected,
  wanted: WantedFields,
  call: Call,
): Promise<Struct> {
  const { name, repository, index } = inspected;
  const images = imagesOf(inspected);
  const manifest = manifestJson(inspected);
  const read = (descriptor: Descriptor, c: Call) => readConfig(descriptor, repository, c);
  const configs =
    wanted.image || images.some(({ platform }) => !platform)
      ? await runAll(images, read, call)
      : images.map(() => undefined);
  const statements = wanted.attestations
    ? await runAll(
        images,
        async ({ digest }, c) => {
          const referrers = (await inspected.listing?.referrers(digest, c)) ?? [];
          return readAttestations({ index, referrers }, digest, repository, c);
        },
        call,
      )
    : images.map(() => []);
  const keys = images.map(({ platform }, i) =>
    formatPlatform(normalizePlatform(platform ?? configs[i]?.platform ?? noPlatform)),
  );
  const byPlatform = (values: readonly unknown[]) => {
    if (images.length === 1) return values[0] ?? {};
    return Object.fromEntries(
      keys.map((key, i) => [key, values[i]] as const).filter(([, value]) => value !== undefined),
    );
  };
  const fields = {
    Name: name,
    Manifest: index ? structOf(manifest, manifestShape) : structOf(manifest, descriptorShape),
    Image: byPlatform(
      configs.map((config) => structOf(arranged(config?.json, imageShape), imageShape)),
    ),
    Provenance: byPlatform(statements.map(provenanceOf)),
    SBOM: byPlatform(statements.map(sbomOf)),
  };
  // Attestations are no part of what buildx prints as a whole.
  const json = { name, manifest, image: jsonOf(fields.Image) };
  return new Struct(json, fields);
}

const noPlatform: Platform = { os: "unknown", architecture: "unknown" };

/** What buildx shows as `.Manifest`: the descriptor, for an index with what is in it. */
function manifestJson({ descriptor, data, index }: Inspected): Readonly<Record<string, unknown>> {
  const { mediaType, digest, size } = descriptorJson(descriptor);
  if (!index) return { mediaType, digest, size };
  const document = JSON.parse(new TextDecoder().decode(data)) as Record<string, unknown>;
  const { schemaVersion, mediaType: own, manifests, annotations } = document;
  return {
    schemaVersion,
    mediaType: own ?? mediaType,
    digest,
    size,
    manifests,
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/** The images that are no attestations, each platform once. */
function imagesOf({ descriptor, index }: Inspected): readonly Descriptor[] {
  if (!index) return [descriptor];
  const images = index.manifests.filter(
    (one) => isManifestType(one.mediaType) && !isAttestation(one),
  );
  const keyOf = ({ platform, digest }: Descriptor) =>
    platform ? formatPlatformFully(platform) : digest;
  return [...new Map([...images].reverse().map((one) => [keyOf(one), one])).values()].reverse();
}

/** Undefined for what is no runnable image. */
async function readConfig(
  descriptor: Descriptor,
  repository: PullRepository,
  call: Call,
): Promise<{ readonly json: unknown; readonly platform: Platform } | undefined> {
  const manifest = parseManifest(
    await repository.readManifest(descriptor, call),
    descriptor.mediaType,
  );
  if (!isConfigType(manifest.config.mediaType)) return undefined;
  const what = `configuration ${manifest.config.digest}`;
  const data = await readAll(repository.read(manifest.config, call), maxConfigSize, what);
  const platform = platformOfConfig(parseImageConfig(data));
  return { json: JSON.parse(new TextDecoder().decode(data)) as unknown, platform };
}

function provenanceOf(statements: readonly Attestation[]): unknown {
  const found = statements.find(isProvenance);
  return found && { SLSA: arranged(found.predicate) };
}

function sbomOf(statements: readonly Attestation[]): unknown {
  const [first, ...others] = statements.filter(isSpdx).map(({ predicate }) => arranged(predicate));
  if (first === undefined) return undefined;
  return { SPDX: first, ...(others.length > 0 ? { AdditionalSPDXs: others } : {}) };
}
