// WORKDIR: the directory of later steps and of containers, which is made where it is missing.
import type { WorkdirInstruction } from "../instructions/workdir.ts";
import { workdirRelativePath } from "../lint/workdir-relative-path.ts";
import type { Converter } from "./environment.ts";
import { recorded } from "./history.ts";
import { parseOwner } from "./owner.ts";
import { isAbsolute, toSlash, workingDirectory } from "./paths.ts";
import { changed, type Stage } from "./stage.ts";
import { nextStep, processedName } from "./step.ts";

export const convertWorkdir: Converter<WorkdirInstruction> = (stage, workdir, env) => {
  // Of a chain of relative ones, the first is what should be absolute.
  if (!stage.workdirSet && !isAbsolute(workdir.path, stage.platform.os)) {
    env.linter.warn(workdirRelativePath, workdir.lines, workdir.path);
  }
  const moved = changed(withWorkingDir(stage, workdir.path), { workdirSet: true });
  const dir = moved.files.workingDir;
  if (dir === "/") return recorded(moved, `WORKDIR ${dir}`, false);
  const { stage: counted, constraints } = nextStep(
    moved,
    processedName(moved, workdir, env),
    workdir,
    env,
  );
  const user = stage.config.User ?? "";
  const owner = user === "" ? {} : { owner: parseOwner(user) };
  const time =
    stage.epoch === undefined ? {} : { timestamp: BigInt(stage.epoch.getTime()) * 1_000_000n };
  const step = {
    kind: "mkdir",
    path: dir,
    mode: 0o755,
    makeParents: true,
    ...owner,
    ...time,
  } as const;
  // BuildKit does not name the instruction or its cache setting here.
  return recorded(
    changed(counted, {
      files: counted.files.file([step], { ...constraints, platform: stage.platform }),
    }),
    `WORKDIR ${dir}`,
    true,
  );
};

/** The stage in another directory, without a word in the history: also for what a base image says. */
export function withWorkingDir(stage: Stage, path: string): Stage {
  const { os } = stage.platform;
  const dir = workingDirectory(stage.config.WorkingDir ?? "", path, os);
  return changed(stage, {
    files: stage.files.dir(toSlash(dir, os)),
    config: { ...stage.config, WorkingDir: dir },
  });
}
