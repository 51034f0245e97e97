// What stages begin with: nothing, an image that is looked up, or a named context.

import type { SourceFile } from "../../llb/index.ts";
import { image, type State, scratch } from "../../llb/index.ts";
import { type ImageConfig, type Platform, platformOfConfig } from "../../oci/index.ts";
import type { Linter } from "../lint/linter.ts";
import type { BaseImages } from "./base-images.ts";
import { warnOfBasePlatform } from "./lint-stages.ts";
import type { FindNamedContext } from "./named-context.ts";
import type { ConvertOptions } from "./options.ts";
import type { PlannedStage } from "./plan.ts";
import type { BuildPlatforms } from "./platforms.ts";
import { imageParts, type StageStart } from "./stage.ts";
import { describedBy, placesOf } from "./step.ts";
import { stepName } from "./step-name.ts";

export interface BaseScope {
  readonly options: ConvertOptions;
  readonly platforms: BuildPlatforms;
  readonly images: BaseImages;
  readonly linter: Linter;
  readonly sourceFile: SourceFile;
  readonly namedContext: FindNamedContext;
  readonly epoch: Date | undefined;
}

export const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Looks up what the stage begins with. Only for stages that stand on no other stage of the file. */
export async function findBase(stage: PlannedStage, scope: BaseScope): Promise<StageStart> {
  const { target } = scope.platforms;
  const platform = stage.platform ?? target;
  if (stage.namedContext !== undefined) {
    const { files, image } = await stage.namedContext.load();
    const actual = image === undefined ? platform : platformOfConfig(image);
    return startOn(files, actual, image ?? emptyImage(platform), undefined);
  }
  if (stage.baseName === "scratch")
    return startOn(scratch(), target, emptyImage(target), undefined);
  const name = scope.images.name(stage.baseName);
  const context = scope.namedContext(name, { platform, used: stage.used });
  if (context === undefined) return await imageBase(stage, name, platform, scope);
  const { files, image } = await context.load();
  const config = image ?? emptyImage(platform);
  return startOn(files.platform(platform), platform, config, config);
}

function startOn(
  files: State,
  platform: Platform,
  config: ImageConfig,
  baseImage: ImageConfig | undefined,
): StageStart {
  return { files, ...imageParts(config), platform, baseImage, steps: 0 };
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

async function imageBase(
  stage: PlannedStage,
  name: string,
  platform: Platform,
  scope: BaseScope,
): Promise<StageStart> {
  const { options, linter } = scope;
  const { reference, config, parts, isEmpty } = await scope.images.find(name, platform);
  const actual = implicitPlatform(stage, config, platform, scope);
  const begin = (files: State, steps: number): StageStart => ({
    files,
    image: parts.image,
    config: parts.config,
    history: parts.history,
    platform: actual,
    baseImage: config,
    steps,
  });
  if (isEmpty) return begin(scratch(), 0);
  warnOfBasePlatform(stage, actual, config, linter);
  const naming = {
    stageName: stage.shownName,
    total: stage.steps,
    showPlatform: options.multiPlatform === true,
    hostPlatform: scope.platforms.build[0],
  };
  const index = stage.passedOver + 1;
  const step = { index, platform: actual, variables: noVariables, onBuild: false };
  const files = image(reference, {
    platform: actual,
    description: describedBy(stepName(`FROM ${reference}`, naming, step), stage.from?.code ?? ""),
    locations: stage.isMounted
      ? [{ file: scope.sourceFile, ranges: [] }]
      : placesOf(stage.lines, scope),
    resolveMode: options.imageResolveMode ?? "default",
  });
  return begin(files, stage.steps === 0 ? 0 : index);
}

const noVariables: ReadonlyMap<string, string> = new Map();

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
