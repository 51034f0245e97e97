// WORKDIR: the directory of later steps and of containers, which is made where it is missing.
import type { WorkdirInstruction } from "../instructions/workdir.ts";
import { workdirRelativePath } from "../lint/workdir-relative-path.ts";
import type { Converter } from "./environment.ts";
import { parseOwner } from "./owner.ts";
import { isAbsolute, toSlash, workingDirectory } from "./paths.ts";
import type { Stage } from "./stage.ts";
import { nextStep, processedName } from "./step.ts";

export const convertWorkdir: Converter<WorkdirInstruction> = (stage, workdir, env) => {
  // Of a chain of relative ones, the first is what should be absolute.
  if (!stage.workdirSet && !isAbsolute(workdir.path, stage.platform.os)) {
    env.linter.warn(workdirRelativePath, workdir.lines, workdir.path);
  }
  setWorkingDir(stage, workdir.path);
  stage.workdirSet = true;
  const dir = stage.files.workingDir;
  if (dir === "/") {
    stage.record(`WORKDIR ${dir}`, false);
    return;
  }
  const words = processedName(stage, workdir, env);
  const { name, locations } = nextStep(stage, words, workdir, env);
  const { platform, config, epoch } = stage;
  const step = {
    kind: "mkdir",
    path: dir,
    mode: 0o755,
    makeParents: true,
    owner: config.User ? parseOwner(config.User) : undefined,
    timestamp: epoch === undefined ? undefined : BigInt(epoch.getTime()) * 1_000_000n,
  } as const;
  // BuildKit does not name the instruction or its cache setting here.
  stage.files = stage.files.file([step], { name, locations, platform });
  stage.record(`WORKDIR ${dir}`, true);
};

/** Moves the stage to another directory without a word in the history: also for what a base image says. */
export function setWorkingDir(stage: Stage, path: string): void {
  const { os } = stage.platform;
  const dir = workingDirectory(stage.config.WorkingDir ?? "", path, os);
  stage.files = stage.files.dir(toSlash(dir, os));
  stage.config.WorkingDir = dir;
}
