// Attestations of one platform's image as a manifest of their own (BuildKit, attestation-storage.md; image-spec, "subject").
import type { AttestationSubject } from "../../../api/index.ts";
import { digestHex, digestOf, goJson } from "../../../base/index.ts";
import {
  type Descriptor,
  imagePurl,
  mediaTypes,
  type Platform,
  type Reference,
  serializeManifest,
  withDefaultTag,
} from "../../../formats/oci/index.ts";
import { type StatementSubject, statementSubjects } from "../statement.ts";
import type { ImageDocument } from "./documents.ts";

/** A predicate about an image, of a known type. */
export interface Predicate {
  readonly predicateType: string;
  readonly predicate: unknown;
  /** What it is about; the image where absent or empty. */
  readonly subjects?: readonly AttestationSubject[];
}

export interface AttestationOptions {
  readonly references: readonly Reference[];
  readonly platform: Platform;
  /** As an OCI artifact with a subject; else in the older form, which looks like an image. */
  readonly ociArtifact: boolean;
}

/** The manifest, what it consists of, and what an index says of it. */
export interface AttestationImage {
  readonly manifest: ImageDocument;
  /** Configuration and statements. */
  readonly blobs: readonly ImageDocument[];
  readonly entry: Descriptor;
  /** The image that it is about. */
  readonly subject: Descriptor;
}

const artifactType = "application/vnd.docker.attestation.manifest.v1+json";

/** The same bytes for the same predicates about the same image under the same names. */
export function createAttestation(
  image: Descriptor,
  predicates: readonly Predicate[],
  options: AttestationOptions,
): AttestationImage {
  const statements = predicates.map((one) => createStatement(image, one, options));
  const config = options.ociArtifact ? emptyConfig() : unknownConfig(statements);
  const subject = { mediaType: image.mediaType, digest: image.digest, size: image.size };
  const data = serializeManifest({
    mediaType: mediaTypes.ociManifest,
    ...(options.ociArtifact ? { artifactType, subject } : {}),
    config: config.descriptor,
    layers: statements.map(({ descriptor }) => descriptor),
  });
  const descriptor = describe(mediaTypes.ociManifest, data);
  return {
    manifest: { descriptor, data },
    blobs: [config, ...statements],
    subject,
    entry: {
      ...descriptor,
      annotations: {
        "vnd.docker.reference.digest": image.digest,
        "vnd.docker.reference.type": "attestation-manifest",
      },
      platform: { os: "unknown", architecture: "unknown" },
      ...(options.ociArtifact ? { artifactType } : {}),
    },
  };
}

/** An in-toto statement (v0.1), by default about the image under every name that it gets. */
function createStatement(
  image: Descriptor,
  { predicateType, predicate, subjects = [] }: Predicate,
  { references, platform }: AttestationOptions,
): ImageDocument {
  const digest = { sha256: digestHex(image.digest) };
  const names = references.map((reference) => imagePurl(withDefaultTag(reference), platform));
  const own = (names.length > 0 ? names : ["_"]).map(
    (name): StatementSubject => ({ name, digest }),
  );
  const subject = statementSubjects(subjects, own);
  const type = "https://in-toto.io/Statement/v0.1";
  const data = encode({ _type: type, predicateType, subject, predicate });
  const annotations = { "in-toto.io/predicate-type": predicateType };
  return { descriptor: { ...describe(mediaTypes.inToto, data), annotations }, data };
}

function emptyConfig(): ImageDocument {
  const data = encode({});
  return { descriptor: describe(mediaTypes.ociEmpty, data), data };
}

/** No runtime takes it for an image that it could run. */
function unknownConfig(statements: readonly ImageDocument[]): ImageDocument {
  const data = encode({
    architecture: "unknown",
    os: "unknown",
    config: {},
    rootfs: { type: "layers", diff_ids: statements.map(({ descriptor }) => descriptor.digest) },
  });
  return { descriptor: describe(mediaTypes.ociConfig, data), data };
}

function describe(mediaType: string, data: Uint8Array): Descriptor {
  return { mediaType, digest: digestOf(data), size: data.length };
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(goJson(value));
}
