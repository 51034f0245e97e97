// What stages begin with: nothing, an image that is looked up, or a named context.

import type { SourceFile } from "../../llb/index.ts";
import { image, scratch } from "../../llb/index.ts";
import {
  formatPlatformFully,
  formatReference,
  type ImageConfig,
  type Platform,
  parseReference,
  platformOfConfig,
  withDefaultTag,
} from "../../oci/index.ts";
import type { Linter } from "../lint/linter.ts";
import { warnOfBasePlatform } from "./lint-stages.ts";
import { configOf } from "./lookups.ts";
import type { FindNamedContext } from "./named-context.ts";
import type { ConvertIo, ConvertOptions } from "./options.ts";
import type { PlannedStage } from "./plan.ts";
import type { BuildPlatforms } from "./platforms.ts";
import type { StageStart } from "./stage.ts";
import { placesOf } from "./step.ts";
import { stepName } from "./step-name.ts";

export interface BaseScope {
  readonly options: ConvertOptions;
  readonly platforms: BuildPlatforms;
  readonly io: ConvertIo;
  readonly linter: Linter;
  readonly sourceFile: SourceFile;
  readonly namedContext: FindNamedContext;
  readonly epoch: Date | undefined;
}

export const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Looks up what the stage begins with. Only for stages that stand on no other stage of the file. */
export async function findBase(stage: PlannedStage, scope: BaseScope): Promise<StageStart> {
  const { target } = scope.platforms;
  if (stage.namedContext !== undefined)
    return await namedBase(stage.namedContext, stage.platform ?? target);
  if (stage.baseName === "scratch") {
    return {
      files: scratch(),
      image: emptyImage(target),
      platform: target,
      baseImage: undefined,
      steps: 0,
    };
  }
  const platform = stage.platform ?? target;
  const name = baseReference(stage.baseName);
  const context = await scope.namedContext(name, { platform, used: stage.used });
  if (context !== undefined) {
    const found = await context.load();
    const config = found.image ?? emptyImage(platform);
    return {
      files: found.files.platform(platform),
      image: withoutTime(config),
      platform,
      baseImage: config,
      steps: 0,
    };
  }
  return await imageBase(stage, name, platform, scope);
}

/** The normalised name of a base image. Throws `REFERENCE_INVALID`. */
export function baseReference(name: string): string {
  return formatReference(withDefaultTag(parseReference(name)));
}

/** The configuration of an image without layers. */
export function emptyImage(platform: Platform): ImageConfig {
  return {
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    rootfs: { type: "layers", diff_ids: [] },
    config: { WorkingDir: "/", ...(platform.os === "windows" ? {} : { Env: [defaultPath] }) },
  };
}

async function namedBase(
  context: NonNullable<PlannedStage["namedContext"]>,
  wanted: Platform,
): Promise<StageStart> {
  const { files, image } = await context.load();
  const config = image ?? emptyImage(wanted);
  const platform = image === undefined ? wanted : platformOfConfig(image);
  return { files, image: withoutTime(config), platform, baseImage: undefined, steps: 0 };
}

async function imageBase(
  stage: PlannedStage,
  name: string,
  platform: Platform,
  scope: BaseScope,
): Promise<StageStart> {
  const { options, io, linter } = scope;
  const mode = options.imageResolveMode ?? "default";
  const where = options.multiPlatform ? `${formatPlatformFully(platform)} ` : "";
  const logName = `[${where}internal] load metadata for ${name}`;
  const answer = await io.resolveImage(name, { platform, mode, logName });
  const config = configOf(answer);
  const actual = implicitPlatform(stage, config, platform, scope);
  const reference = parseReference(answer.reference ?? name);
  const full = formatReference(
    answer.digest === undefined ? reference : { ...reference, digest: answer.digest },
  );
  const base = { image: withoutTime(config), platform: actual, baseImage: config };
  if (isEmpty(config)) return { ...base, files: scratch(), steps: 0 };
  warnOfBasePlatform(stage, actual, config, linter);
  const naming = {
    stageName: stage.shownName,
    total: stage.steps,
    showPlatform: options.multiPlatform === true,
    hostPlatform: scope.platforms.build[0],
  };
  const index = stage.passedOver + 1;
  const step = { index, platform: actual, variables: new Map<string, string>(), onBuild: false };
  const files = image(full, {
    platform: actual,
    name: stepName(`FROM ${full}`, naming, step),
    description: { "com.docker.dockerfile.v1.command": stage.from?.code ?? "" },
    locations: placesOf(stage.lines, scope),
    resolveMode: mode,
  });
  return { ...base, files, steps: stage.steps === 0 ? 0 : index };
}

/** With no platform asked for, an image for another platform that runs here is taken as it is. */
function implicitPlatform(
  stage: PlannedStage,
  config: ImageConfig,
  wanted: Platform,
  scope: BaseScope,
): Platform {
  if (stage.platform !== undefined || !scope.platforms.implicit) return wanted;
  const { os, architecture } = config;
  const fits = (one: Platform): boolean => one.os === os && one.architecture === architecture;
  return fits(wanted) ? wanted : (scope.platforms.build.find(fits) ?? wanted);
}

/** An image without layers is scratch. Very old images do not list layers, but their history does. */
function isEmpty({ rootfs, history }: ImageConfig): boolean {
  return (
    rootfs.diff_ids.length === 0 && !(history ?? []).some((entry) => entry.empty_layer !== true)
  );
}

function withoutTime({ created: _, ...image }: ImageConfig): ImageConfig {
  return image;
}
