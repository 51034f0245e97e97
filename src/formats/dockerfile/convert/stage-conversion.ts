// Converts one stage: from what it stands on, through its instructions, to what it ends as.
import { defaultPath } from "./bases.ts";
import { convertInstruction, expandInstruction } from "./converters.ts";
import { splitVariable } from "./env.ts";
import type { PlannedStage } from "./plan.ts";
import { dockerfileError, placed } from "./problem.ts";
import { Stage } from "./stage.ts";
import { StageEnvironment, type StageScope } from "./stage-environment.ts";
import { setUser } from "./user.ts";
import { setWorkingDir } from "./workdir.ts";

/** The stage after all its instructions. Stages that it reads from must have been converted. */
export function convertStage(planned: PlannedStage, scope: StageScope): Stage {
  const stage = beginStage(planned, scope);
  const env = new StageEnvironment(planned, scope);
  for (const step of planned.instructions) {
    try {
      env.enter(step);
      convertInstruction(stage, expandInstruction(step.instruction, stage, env), env);
    } catch (error) {
      throw placed(error, step.instruction.lines, scope.errorFile);
    }
  }
  return stage;
}

/** What the stage begins with; the base's configuration holds for its steps. */
function beginStage(planned: PlannedStage, { epoch }: StageScope): Stage {
  const stage = new Stage(baseOf(planned), epoch);
  const { config } = stage;
  // Triggers of the base are instructions of this stage by now.
  if ("OnBuild" in config) delete config.OnBuild;
  const isSet = (config.Env ?? []).some((entry) => splitVariable(entry)[0] === "PATH");
  if (!isSet && stage.platform.os !== "windows") config.Env = [...(config.Env ?? []), defaultPath];
  for (const entry of config.Env ?? []) stage.files = stage.files.env(...splitVariable(entry));
  if (config.WorkingDir) setWorkingDir(stage, config.WorkingDir);
  if (config.User) setUser(stage, config.User);
  return stage;
}

function baseOf({ base, start, shownName }: PlannedStage): ConstructorParameters<typeof Stage>[0] {
  if (base === undefined && start === undefined)
    throw new Error(`stage ${shownName} is converted before its base is known`);
  const found = base === undefined ? start : base.end;
  if (found === undefined)
    throw dockerfileError(`stage "${base?.shownName}" is used before it is defined`);
  return found;
}
