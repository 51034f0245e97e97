// ONBUILD triggers of a base, which run right after FROM.
import { createLinter } from "../lint/index.ts";
import { parseText } from "../parse.ts";
import { parseInstruction } from "../stages.ts";
import type { PlannedInstruction, PlannedStage, StagePlan } from "./plan.ts";
import { dockerfileError } from "./problem.ts";

/**
 * Puts the triggers of the stage's base before its instructions, once. True when they read from stages or images that
 * may not have been looked up.
 */
export function addTriggers(stage: PlannedStage, plan: StagePlan): boolean {
  if (stage.triggered) return false;
  const triggers = stage.base === undefined ? stage.start?.config.OnBuild : triggersOf(stage.base);
  if (triggers === undefined) return false;
  stage.triggered = true;
  const added = triggers.map((trigger) => plan.plan(stage, parseTrigger(trigger, stage), true));
  stage.instructions = [...added, ...stage.instructions];
  stage.steps += added.length;
  return added.some(({ sources }) => sources.length > 0);
}

function triggersOf(base: PlannedStage): readonly string[] {
  return base.instructions.flatMap(({ instruction }) =>
    instruction.kind === "onbuild" ? [instruction.expression] : [],
  );
}

function parseTrigger(trigger: string, stage: PlannedStage): PlannedInstruction["instruction"] {
  const { value, problems } = parseText(trigger);
  const [node, ...more] = value.instructions;
  if (node === undefined || more.length > 0) {
    throw dockerfileError(problems[0]?.message ?? "onbuild trigger should be a single expression");
  }
  // Its own lines are of no file that the user has.
  const parsed = parseInstruction({ ...node, lines: stage.lines }, createLinter());
  const instruction = parsed.value;
  if (instruction === undefined || instruction.kind === "from") {
    throw dockerfileError(parsed.problems[0]?.message ?? `invalid ONBUILD trigger: ${trigger}`);
  }
  return instruction;
}
