// What is written in a file, before anything of it is converted: its instructions, or all of its mistakes.
import type { DockerfileTree, InstructionNode, Problem } from "../ast.ts";
import type { EscapeToken } from "../directives.ts";
import { createLinter, type Linter, noEmptyContinuation } from "../lint/index.ts";
import { parseDockerfile } from "../parse.ts";
import { type Instructions, readInstructions } from "../stages.ts";
import { warnOfCasing, warnOfStageNames } from "./lint-stages.ts";
import { dockerfileError, type ErrorFile, problemError } from "./problem.ts";

/** A file without mistakes in how it is written. */
export interface WrittenFile {
  readonly written: Instructions;
  /** The character that escapes. */
  readonly token: EscapeToken;
  readonly errorFile: ErrorFile;
}

/** Reads the file; `found` has the checks' warnings, also when this throws `DOCKERFILE_INVALID`. */
export function readWritten(
  data: Uint8Array,
  file: Omit<ErrorFile, "text">,
  found: { linter: Linter },
): WrittenFile {
  const { value: tree, problems } = parseDockerfile(data);
  const errorFile: ErrorFile = { ...file, text: tree.text };
  const written = readInstructions(tree.instructions, noteContinuations(tree, found.linter));
  const mistakes = [...problems, ...written.problems];
  if (mistakes.length > 0) {
    // What stands behind a mistake is not checked, as it may change meaning once that is mended.
    const sound = problems.length > 0 ? [] : before(tree.instructions, written.problems);
    const linter = createLinter(found.linter.options);
    found.linter = problems.length > 0 ? linter : noteContinuations(tree, linter);
    readInstructions(sound, found.linter);
    throw problemError(mistakes, errorFile);
  }
  if (written.stages.length === 0) throw dockerfileError("dockerfile contains no stages to build");
  warnOfStageNames(written.stages, found.linter);
  warnOfCasing(written.stages, found.linter);
  return { written, token: tree.escape, errorFile };
}

function noteContinuations(tree: DockerfileTree, linter: Linter): Linter {
  for (const warning of tree.warnings) linter.warn(noEmptyContinuation, warning.lines);
  return linter;
}

/** The instructions up to the first with a mistake, whose own warnings still count. */
function before(
  nodes: readonly InstructionNode[],
  problems: readonly Problem[],
): readonly InstructionNode[] {
  const lines = problems.flatMap(({ at }) => at.map(({ start }) => start));
  const first = Math.min(...lines);
  return nodes.filter(({ lines: { start } }) => start <= first);
}
