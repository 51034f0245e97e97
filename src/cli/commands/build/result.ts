// What is left of a build: the image ID on standard output or in a file, and the metadata file.
import type { Attrs, BuildResult } from "../../../api/index.ts";
import {
  type Call,
  isRecord,
  parseBool,
  sortedRecord,
  writeFileAtomic,
} from "../../../base/index.ts";
import { standsInForBuildx, type World } from "../command.ts";
import type { BuildPlan } from "./plan.ts";
import { recordedProvenance } from "./recorded-provenance.ts";

export interface FinishedBuild {
  readonly result: BuildResult;
  readonly plan: BuildPlan;
  readonly ref: string;
  /** What the build warned of, as BuildKit's JSON has it. */
  readonly warnings: readonly unknown[];
}

/** Writes what the flags asked for: --quiet, --iidfile, --metadata-file. */
export async function reportResult(
  { result, plan, ref, warnings }: FinishedBuild,
  world: World,
): Promise<void> {
  const id = imageId(result.exporterResponse);
  if (plan.iidFile !== undefined && id !== undefined) writeFileAtomic(plan.iidFile, id, 0o644);
  if (plan.metadataFile !== undefined) {
    const metadata = await buildMetadata({ result, plan, ref, warnings }, world);
    writeFileAtomic(plan.metadataFile, JSON.stringify(metadata, undefined, 2), 0o644);
  }
  // buildx has a line for what has no name, too.
  if (plan.quiet && (id !== undefined || standsInForBuildx(world)))
    world.stdout.write(`${id ?? ""}\n`);
}

/** What the metadata file says of a build: its response, its provenance, its name. */
export async function buildMetadata(
  { result, ref, warnings }: FinishedBuild,
  world: World,
): Promise<Readonly<Record<string, unknown>>> {
  const more = {
    ...(await provenanceKeys(result, world.env["BUILDX_METADATA_PROVENANCE"], world.call)),
    ...(parseBool(world.env["BUILDX_METADATA_WARNINGS"] ?? "") && warnings.length > 0
      ? { "buildx.build.warnings": warnings }
      : {}),
  };
  return metadataOf(result.exporterResponse, fullRef(result, ref), more);
}

/** The configuration's digest where there is one image, else the index's: what buildx calls the image ID. */
export function imageId(response: Attrs): string | undefined {
  return response["containerimage.config.digest"] ?? response["containerimage.digest"];
}

/** Provenance for the metadata file: BUILDX_METADATA_PROVENANCE is `min` (where absent), `max` or `disabled`. */
async function provenanceKeys(
  { provenance, places = [] }: BuildResult,
  wanted: string | undefined,
  call: Call,
): Promise<Readonly<Record<string, unknown>>> {
  const mode = wanted === undefined || wanted === "" ? "min" : wanted;
  if (mode === "disabled" || parseBool(mode) === false) return {};
  const found = Object.entries(provenance?.() ?? (await recordedProvenance(places, call)));
  return Object.fromEntries(
    found.map(([platform, predicate]) => [
      found.length === 1 ? "buildx.build.provenance" : `buildx.build.provenance/${platform}`,
      mode === "max" ? predicate : shortened(predicate),
    ]),
  );
}

/** BUILDER/NODE/REF, as buildx names builds. */
function fullRef({ places = [] }: BuildResult, ref: string): string {
  const [place] = places;
  return place ? `${place.builder}/${place.node}/${place.ref}` : `default/default/${ref}`;
}

/** Without the steps and what is told of the run, in either version. */
function shortened(predicate: unknown): unknown {
  if (!isRecord(predicate)) return predicate;
  const { buildDefinition, runDetails } = predicate;
  if (!isRecord(buildDefinition) || !isRecord(runDetails)) {
    const { buildConfig: _, metadata: __, ...rest } = predicate;
    return rest;
  }
  const { internalParameters, ...definition } = buildDefinition;
  const { buildConfig: _, ...parameters } = isRecord(internalParameters) ? internalParameters : {};
  const { metadata: __, ...run } = runDetails;
  return { buildDefinition: { ...definition, internalParameters: parameters }, runDetails: run };
}

/** What exporters tell each other; buildx's file does not have it. */
const internalKeys = new Set([
  "containerimage.config",
  "containerimage.base.config",
  "source.date.epoch",
]);

/** Response keys with what is JSON in base64 as JSON, sorted. */
function metadataOf(
  response: Attrs,
  /** BUILDER/NODE/REF. */
  ref: string,
  more: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const told = Object.entries(response).filter(([key]) => !internalKeys.has(key));
  const decoded = told.map(([key, value]) => [key, decodeValue(value)] as const);
  return sortedRecord<unknown>({
    ...Object.fromEntries(decoded),
    ...more,
    "buildx.build.ref": ref,
  });
}

function decodeValue(value: string): unknown {
  if (!/^[A-Za-z0-9+/]+=*$/.test(value) || value.length % 4 !== 0) return value;
  try {
    const document: unknown = JSON.parse(
      new TextDecoder().decode(Uint8Array.from(atob(value), (c) => c.charCodeAt(0))),
    );
    return isRecord(document) && Object.keys(document).length > 0 ? document : value;
  } catch {
    return value;
  }
}
