// Steps: what instructions that change files have in common.
import type { Constraints, SourceLocation, SourceRange } from "../../llb/index.ts";
import type { LineRange } from "../ast.ts";
import type { InstructionBase } from "../instructions/instruction.ts";
import type { ConvertEnv } from "./environment.ts";
import type { Stage } from "./stage.ts";
import { type StepNaming, stepName, withUpperKeyword } from "./step-name.ts";

/** Where a step stands, and what it is called. */
export type StepConstraints = Required<Pick<Constraints, "name" | "locations">>;

/** Counts one more step of the stage, and names it. */
export function nextStep(
  stage: Stage,
  words: string,
  instruction: InstructionBase,
  env: ConvertEnv,
  naming: StepNaming = env.naming,
): StepConstraints {
  if (naming.total !== 0) stage.steps++;
  return { name: nameOf(stage, words, env, naming), locations: placesOf(instruction.lines, env) };
}

/** The name of the step that was counted last, in other words. */
export function nameOf(
  stage: Stage,
  words: string,
  env: ConvertEnv,
  naming: StepNaming = env.naming,
): string {
  const { platform, files } = stage;
  return stepName(words, naming, {
    index: stage.steps,
    platform,
    variables: files.variables,
    onBuild: env.onBuild,
  });
}

/** The instruction as written with its variables replaced, for people; as written where that fails. */
export function processedName(stage: Stage, instruction: InstructionBase, env: ConvertEnv): string {
  try {
    return withUpperKeyword(env.expand(instruction.code, stage.files.variables));
  } catch {
    return withUpperKeyword(instruction.code);
  }
}

/** What is said of a step that has a name and is an instruction's own. */
export function describedBy(name: string, code: string): Readonly<Record<string, string>> {
  return { "com.docker.dockerfile.v1.command": code, "llb.customname": name };
}

/** An instruction's lines as a definition's source map has them: one range a line. */
export function placesOf(
  lines: LineRange,
  env: Pick<ConvertEnv, "sourceFile">,
): readonly SourceLocation[] {
  const ranges = new Array<SourceRange>(lines.end - lines.start + 1);
  for (let at = 0; at < ranges.length; at++) {
    const place = { line: lines.start + at, character: 0 };
    ranges[at] = { start: place, end: place };
  }
  return [{ file: env.sourceFile, ranges }];
}
