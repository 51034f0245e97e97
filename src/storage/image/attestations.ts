// Attestations beside images: which index entries they are, whose, and the statements in them (BuildKit, attestation-storage.md).
import { type Call, isRecord, KilnError, parseJson, readAll } from "../../base/index.ts";
import { type Descriptor, type Index, mediaTypes, parseManifest } from "../../formats/oci/index.ts";
import type { PullRepository } from "../registry/index.ts";

const referenceType = "vnd.docker.reference.type";
const referenceDigest = "vnd.docker.reference.digest";
const predicateType = "in-toto.io/predicate-type";
/** Largest statement that is read, in bytes. */
const maxStatementSize: number = 64 * 1024 * 1024;
/** Statements of one image that are read. */
const maxStatements = 256;

/** True for an index entry that is no image but says something about one. */
export function isAttestation({ annotations }: Descriptor): boolean {
  return annotations?.[referenceType] === "attestation-manifest";
}

/** The digest of the image that an attestation is about; undefined for other entries. */
export function attestedDigest(entry: Descriptor): string | undefined {
  return isAttestation(entry) ? entry.annotations?.[referenceDigest] : undefined;
}

/** One statement: what kind of predicate, and the predicate. */
export interface Attestation {
  readonly predicateType: string;
  readonly predicate: unknown;
}

/** Of a manifest with statements that names its image as its subject. */
export const attestationArtifact = "application/vnd.docker.attestation.manifest.v1+json";

/**
 * The statements about the image `digest`: those that its index holds, in order, and those of `referrers` that are not
 * among them. Throws `IMAGE_INVALID` for malformed ones.
 */
export async function readAttestations(
  {
    index,
    referrers = [],
  }: { readonly index: Index | undefined; readonly referrers?: readonly Descriptor[] },
  digest: string,
  repository: PullRepository,
  call: Call,
): Promise<readonly Attestation[]> {
  const found: Attestation[] = [];
  const listed = index?.manifests.filter((one) => attestedDigest(one) === digest) ?? [];
  const others = referrers.filter(
    (one) =>
      one.artifactType === attestationArtifact && !listed.some((two) => two.digest === one.digest),
  );
  for (const entry of [...listed, ...others]) {
    const manifest = parseManifest(await repository.readManifest(entry, call), entry.mediaType);
    const statements = manifest.layers.filter(({ mediaType }) => mediaType === mediaTypes.inToto);
    if (found.length + statements.length > maxStatements)
      throw new KilnError("IMAGE_INVALID", `attestation ${entry.digest}: too many statements`);
    for (const layer of statements) found.push(await readStatement(layer, repository, call));
  }
  return found;
}

async function readStatement(
  layer: Descriptor,
  repository: PullRepository,
  call: Call,
): Promise<Attestation> {
  const what = `attestation ${layer.digest}`;
  const data = await readAll(repository.read(layer, call), maxStatementSize, what);
  const statement = parseJson(new TextDecoder().decode(data), what);
  if (!isRecord(statement) || !("predicate" in statement))
    throw new KilnError("IMAGE_INVALID", `${what} is no in-toto statement`);
  const said = layer.annotations?.[predicateType] ?? statement["predicateType"];
  return { predicateType: String(said ?? ""), predicate: statement["predicate"] };
}

/** True for SLSA provenance of any version. */
export function isProvenance({ predicateType }: Attestation): boolean {
  return predicateType.startsWith("https://slsa.dev/provenance/");
}

/** True for an SPDX bill of materials. */
export function isSpdx({ predicateType }: Attestation): boolean {
  return predicateType === "https://spdx.dev/Document";
}
