// What COPY and ADD have in common: flags, the layer that they make, and --link's layer apart from the others.
import { type FileStep, merge, scratch } from "../../llb/index.ts";
import type { AddInstruction, CopyInstruction } from "../instructions/index.ts";
import { parseMode } from "./chmod.ts";
import type { CopyPlan } from "./copy-steps.ts";
import type { ConvertEnv } from "./environment.ts";
import { parseOwner } from "./owner.ts";
import { destinationPath } from "./paths.ts";
import type { Stage } from "./stage.ts";
import { nameOf, nextStep, processedName } from "./step.ts";

/** Checks the flags and counts the step. */
export function copyPlan(
  stage: Stage,
  copy: CopyInstruction | AddInstruction,
  env: ConvertEnv,
  { parents, fromContext }: Pick<CopyPlan, "parents" | "fromContext">,
): CopyPlan {
  const { chown, chmod, exclude } = copy;
  const destination = destinationPath(stage.files.workingDir, copy.destination, stage.platform.os);
  const mode = chmod === "" ? undefined : parseMode(chmod);
  const words = processedName(stage, copy, env);
  const { name, locations } = nextStep(stage, words, copy, env);
  return {
    stage,
    instruction: copy,
    env,
    words,
    constraints: { name, locations, ignoreCache: env.ignoreCache },
    destination,
    common: {
      createDestPath: true,
      mode,
      owner: chown === "" ? undefined : parseOwner(chown),
      excludePatterns: exclude,
    },
    parents,
    fromContext,
  };
}

/** Does the steps in the stage, with a word of it in the history. */
export function addCopies(
  plan: CopyPlan,
  steps: readonly FileStep[],
  flags: readonly string[],
): void {
  const { instruction, stage } = plan;
  const { chown, chmod, sources, inline, destination } = instruction;
  let words = instruction.kind.toUpperCase();
  for (const flag of flags) words += ` ${flag}`;
  if (chown !== "") words += ` --chown=${chown}`;
  if (chmod !== "") words += ` --chmod=${chmod}`;
  for (const source of sources) words += ` ${source}`;
  for (const { path } of inline) words += ` <<${path}`;
  // BuildKit: a changed mode must know what it lands on.
  stage.files =
    instruction.link && chmod === ""
      ? linked(plan, steps)
      : stage.files.file(steps, plan.constraints);
  stage.recordStep(`${words} ${destination}`);
}

/** The copies as a layer that does not depend on what is below it, laid over the files so far. */
function linked(plan: CopyPlan, steps: readonly FileStep[]): Stage["files"] {
  const { stage, env, words } = plan;
  const { name, locations, ignoreCache } = plan.constraints;
  const id = env.options.newId();
  const copied = scratch().file(steps, {
    name,
    locations,
    ignoreCache,
    platform: stage.platform,
    progressGroup: { id, name, weak: true },
  });
  const laid = merge([stage.files, copied], {
    name: nameOf(stage, `LINK ${words}`, env),
    locations,
    ignoreCache,
    progressGroup: { id, name, weak: false },
  });
  return stage.files.withOutput(laid.output);
}
