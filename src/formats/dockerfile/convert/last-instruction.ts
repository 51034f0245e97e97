// CMD, ENTRYPOINT and HEALTHCHECK: of several in one stage only the last counts.
import type { CommandLine, InstructionBase } from "../instructions/index.ts";
import { jsonArgsRecommended } from "../lint/json-args-recommended.ts";
import type { Linter } from "../lint/linter.ts";
import { multipleInstructionsDisallowed } from "../lint/multiple-instructions-disallowed.ts";
import type { LastKind, Stage } from "./stage.ts";

/** Notes where the instruction stands, and warns of the one before that is now without effect. */
export function noteLast(
  stage: Stage,
  kind: LastKind,
  instruction: InstructionBase,
  linter: Linter,
): void {
  const before = stage.last[kind];
  if (before !== undefined)
    linter.warn(multipleInstructionsDisallowed, before, instruction.keyword);
  stage.last[kind] = instruction.lines;
}

/** Warns of a shell form, whose shell gets the signals instead of the program; whoever sets SHELL means it. */
export function warnOfShellForm(
  stage: Stage,
  instruction: InstructionBase & CommandLine,
  linter: Linter,
): void {
  if (!instruction.shell || (stage.config.Shell ?? []).length > 0) return;
  linter.warn(jsonArgsRecommended, instruction.lines, instruction.keyword);
}
