// Steps: what instructions that change files have in common.
import type { Constraints, SourceLocation, SourceRange } from "../../llb/index.ts";
import type { LineRange } from "../ast.ts";
import type { InstructionBase } from "../instructions/instruction.ts";
import type { ConvertEnv } from "./environment.ts";
import { changed, type Stage } from "./stage.ts";
import { stepName, withUpperKeyword } from "./step-name.ts";

/** The stage with one more step counted, and that step's name and place. */
export function nextStep(
  stage: Stage,
  words: string,
  instruction: InstructionBase,
  env: ConvertEnv,
): { readonly stage: Stage; readonly constraints: Constraints & { readonly name: string } } {
  const counted = env.naming.total === 0 ? stage : changed(stage, { steps: stage.steps + 1 });
  const name = nameOf(counted, words, env);
  return { stage: counted, constraints: { name, locations: placesOf(instruction.lines, env) } };
}

/** The name of the step that was counted last, in other words. */
export function nameOf(stage: Stage, words: string, env: ConvertEnv): string {
  const { platform, files } = stage;
  return stepName(words, env.naming, {
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

/** An instruction's lines as a definition's source map has them: one range a line. */
export function placesOf(
  lines: LineRange,
  env: Pick<ConvertEnv, "sourceFile">,
): readonly SourceLocation[] {
  const ranges: SourceRange[] = [];
  for (let line = lines.start; line <= lines.end; line++) {
    const place = { line, character: 0 };
    ranges.push({ start: place, end: place });
  }
  return [{ file: env.sourceFile, ranges }];
}
