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
  const constraints = nextStep(stage, words, copy, env);
  return {
    stage,
    instruction: copy,
    env,
    words,
    name: constraints.name,
    constraints: env.ignoreCache ? { ...constraints, ignoreCache: true } : constraints,
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
  const words = [
    instruction.kind.toUpperCase(),
    ...flags,
    ...(chown === "" ? [] : [`--chown=${chown}`]),
    ...(chmod === "" ? [] : [`--chmod=${chmod}`]),
    ...sources,
    ...inline.map(({ path }) => `<<${path}`),
    destination,
  ];
  // BuildKit: a changed mode must know what it lands on.
  stage.files =
    instruction.link && chmod === ""
      ? linked(plan, steps)
      : stage.files.file(steps, plan.constraints);
  stage.recordStep(words.join(" "));
}

/** The copies as a layer that does not depend on what is below it, laid over the files so far. */
function linked(plan: CopyPlan, steps: readonly FileStep[]): Stage["files"] {
  const { stage, constraints, env, words, name } = plan;
  const group = { id: env.options.newId(), name };
  const copied = scratch().file(steps, {
    ...constraints,
    platform: stage.platform,
    progressGroup: { ...group, weak: true },
  });
  const laid = merge([stage.files, copied], {
    ...constraints,
    name: nameOf(stage, `LINK ${words}`, env),
    progressGroup: { ...group, weak: false },
  });
  return stage.files.withOutput(laid.output);
}
