// What is left of a build: the image ID on standard output or in a file, and the metadata file.
import type { Attrs, BuildResult } from "../../api/index.ts";
import { isRecord, sortedRecord, writeFileAtomic } from "../../base/index.ts";
import type { BuildPlan } from "./build-plan.ts";
import type { World } from "./command.ts";

export interface FinishedBuild {
  readonly result: BuildResult;
  readonly plan: BuildPlan;
  readonly ref: string;
}

/** Writes what the flags asked for: --quiet, --iidfile, --metadata-file. */
export function reportResult({ result, plan, ref }: FinishedBuild, world: World): void {
  const id = imageId(result.exporterResponse);
  if (plan.iidFile !== undefined && id !== undefined) writeFileAtomic(plan.iidFile, id, 0o644);
  if (plan.metadataFile !== undefined)
    writeFileAtomic(plan.metadataFile, metadataJson(result.exporterResponse, ref), 0o644);
  if (plan.quiet && id !== undefined) world.stdout.write(`${id}\n`);
}

/** The configuration's digest where there is one image, else the index's: what buildx calls the image ID. */
export function imageId(response: Attrs): string | undefined {
  return response["containerimage.config.digest"] ?? response["containerimage.digest"];
}

/** What exporters tell each other; buildx's file does not have it. */
const internalKeys = new Set([
  "containerimage.config",
  "containerimage.base.config",
  "source.date.epoch",
]);

/** The metadata file: response keys with what is JSON in base64 as JSON, sorted, indented by two. */
export function metadataJson(response: Attrs, ref: string): string {
  const told = Object.entries(response).filter(([key]) => !internalKeys.has(key));
  const decoded = told.map(([key, value]) => [key, decodeValue(value)] as const);
  const all = { ...Object.fromEntries(decoded), "buildx.build.ref": `default/default/${ref}` };
  return JSON.stringify(sortedRecord<unknown>(all), undefined, 2);
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
