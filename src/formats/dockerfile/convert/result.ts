// The conversion's answer: the target's graph, and the image configuration as it will be stored.
import type { Definition, State } from "../../llb/index.ts";
import {
  type ImageConfig,
  normalizePlatform,
  type Platform,
  platformOfConfig,
} from "../../oci/index.ts";
import type { BuildContext } from "./build-context.ts";
import type { Variables } from "./env.ts";
import type { ConvertOptions, ConvertResult } from "./options.ts";
import { type PlannedStage, reachableStages } from "./plan.ts";
import type { BuildPlatforms } from "./platforms.ts";
import { imageOf, type Stage } from "./stage.ts";

export interface ResultScope {
  readonly options: ConvertOptions;
  readonly platforms: BuildPlatforms;
  readonly globalArgs: Variables;
  readonly context: BuildContext;
  readonly epoch: Date | undefined;
}

export function finishResult(target: PlannedStage, scope: ResultScope): ConvertResult {
  const { end } = target;
  if (end === undefined) throw new Error("the target was not converted");
  const marshal = marshaller(scope);
  const scanned = [...reachableStages(target)].filter(
    (stage) => stage !== target && isScanned(stage, scope),
  );
  const extras: [string, State][] = scanned.map((stage) => [
    stage.shownName,
    (stage.end ?? end).files,
  ]);
  if (wants("BUILDKIT_SBOM_SCAN_CONTEXT", target, scope))
    extras.push(["context", scope.context.files]);
  const definition = marshal(end.files);
  return {
    definition: definition.ops.length === 0 ? undefined : definition,
    image: finishImage(end, scope),
    ...(end.baseImage === undefined ? {} : { baseImage: end.baseImage }),
    ...(scope.epoch === undefined ? {} : { epoch: scope.epoch }),
    sbomExtras: new Map(extras.map(([name, files]) => [name, marshal(files)])),
    ignoresCache: [target, ...scanned].some((stage) => stage.ignoreCache),
  };
}

function marshaller({ options, platforms }: ResultScope): (files: State) => Definition {
  // All definitions of one result must mean the same lent files.
  let id: string | undefined;
  return (files) => {
    id ??= options.newId();
    return files.marshal({ platform: platforms.target, localUniqueId: id });
  };
}

/** The configuration with the caller's labels, and with the target's platform where one was asked for. */
function finishImage(end: Stage, { options, platforms }: ResultScope): ImageConfig {
  const { labels = {} } = options;
  const image = imageOf(end);
  const labelled =
    Object.keys(labels).length === 0
      ? image
      : { ...image, config: { ...image.config, Labels: { ...end.config.Labels, ...labels } } };
  const platform = platforms.implicit
    ? platformOfConfig(labelled)
    : targetOf(labelled, platforms.target);
  return withPlatform(labelled, normalizePlatform(platform));
}

/** What the target does not say stays as the base has it, as long as that is the same kind of machine. */
function targetOf(image: ImageConfig, target: Platform): Platform {
  if (target.os !== image.os || target.architecture !== image.architecture) return target;
  return { ...platformOfConfig(image), ...target };
}

function withPlatform(image: ImageConfig, platform: Platform): ImageConfig {
  const { variant: _, "os.version": __, "os.features": ___, ...rest } = image;
  return {
    ...rest,
    os: platform.os,
    architecture: platform.architecture,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    ...(platform.osVersion === undefined ? {} : { "os.version": platform.osVersion }),
    ...(platform.osFeatures === undefined ? {} : { "os.features": platform.osFeatures }),
  };
}

function isScanned(stage: PlannedStage, scope: ResultScope): boolean {
  return stage.from !== undefined && wants("BUILDKIT_SBOM_SCAN_STAGE", stage, scope);
}

/** Whether a steering argument, declared for all or in the stage, is true or names the stage. */
function wants(name: string, stage: PlannedStage, { globalArgs }: ResultScope): boolean {
  const own = stage.end?.args
    .toArray()
    .findLast((arg) => arg.name === name && arg.value !== undefined)?.value;
  const value = own ?? globalArgs.get(name);
  if (value === undefined) return false;
  if (/^(1|t|true)$/i.test(value)) return true;
  return !/^(0|f|false)$/i.test(value) && value.split(",").includes(stage.shownName);
}
