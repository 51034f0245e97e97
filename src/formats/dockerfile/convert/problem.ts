// Errors of a Dockerfile that show only when it is converted.
import { closest, KilnError, type SourcePlace } from "../../../base/index.ts";
import type { LineRange, Problem } from "../ast.ts";
import { Mistake } from "../instructions/index.ts";
import { ExpansionError } from "../shell-words.ts";

/** The file that errors point into. */
export interface ErrorFile {
  readonly filename: string;
  readonly text: string;
  /** What it was read from, as the message `pb.Definition`. */
  readonly origin?: Uint8Array;
}

/** An error without a place yet: the instruction's place is added where the instruction is known. */
export function dockerfileError(message: string, hint?: string): KilnError {
  return new KilnError("DOCKERFILE_INVALID", message, hint === undefined ? {} : { hint });
}

/** As `dockerfileError`, with what the user may have meant. */
export function suggesting(message: string, word: string, known: readonly string[]): KilnError {
  const near = closest(word, known);
  return dockerfileError(message, near === undefined ? undefined : `Did you mean "${near}"?`);
}

/** The error with the place of an instruction, unless it has one. What is no error of the user's passes unchanged. */
export function placed(error: unknown, lines: LineRange, file: ErrorFile): unknown {
  const at: SourcePlace = {
    file: file.filename,
    line: lines.start,
    endLine: lines.end,
    text: file.text,
    ...(file.origin ? { origin: file.origin } : {}),
  };
  if (error instanceof Mistake || error instanceof ExpansionError) {
    const hint = error instanceof Mistake ? error.hint : undefined;
    return new KilnError("DOCKERFILE_INVALID", error.message, {
      cause: error,
      at: { ...at, ...spanOf(error.word, lines, file) },
      ...(hint === undefined ? {} : { hint }),
    });
  }
  if (!(error instanceof KilnError) || error.at !== undefined) return error;
  return new KilnError(error.code, error.message, {
    at,
    cause: error.cause,
    others: error.others,
    details: error.details,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}

/** Where `word` stands first on the lines. */
function spanOf(word: string | undefined, lines: LineRange, file: ErrorFile): Partial<SourcePlace> {
  if (word === undefined || word === "") return {};
  const source = linesOf(file);
  for (let line = lines.start; line <= lines.end; line++) {
    const column = source[line - 1]?.indexOf(word) ?? -1;
    if (column === -1) continue;
    const span = { line, endLine: line, column: column + 1, endColumn: column + 1 + word.length };
    return lines.start === lines.end ? span : { ...span, statement: [lines.start, lines.end] };
  }
  return {};
}

const linesByFile = new WeakMap<ErrorFile, readonly string[]>();

/** The file's lines, split once for all of its errors. */
function linesOf(file: ErrorFile): readonly string[] {
  const known = linesByFile.get(file) ?? file.text.split("\n");
  linesByFile.set(file, known);
  return known;
}

/** All mistakes of a file as one error: the first with the others behind it. */
export function problemError(problems: readonly Problem[], file: ErrorFile): KilnError {
  const [first, ...others] = problems.map((problem) => toError(problem, file));
  return new KilnError("DOCKERFILE_INVALID", first?.message ?? "the Dockerfile has mistakes", {
    others,
    details: { parsing: 1, ...(problems[0]?.ofInstruction ? { instruction: 1 } : {}) },
    ...(first?.at === undefined ? {} : { at: first.at }),
    ...(first?.hint === undefined ? {} : { hint: first.hint }),
  });
}

/** An error that several instructions make together: the first is its place, the others follow. */
export function placedMany(
  error: KilnError,
  places: readonly LineRange[],
  file: ErrorFile,
): KilnError {
  const [first, ...more] = places.map((lines) => placed(error, lines, file) as KilnError);
  const { message, hint, code } = error;
  return new KilnError(code, message, {
    others: more,
    ...(hint === undefined ? {} : { hint }),
    ...(first?.at === undefined ? {} : { at: first.at }),
  });
}

function toError({ message, at, word, hint }: Problem, file: ErrorFile): KilnError {
  const options = {
    ...(word === undefined ? {} : { word }),
    ...(hint === undefined ? {} : { hint }),
  };
  const [lines] = at;
  const mistake = new Mistake(message, options);
  if (lines === undefined) return dockerfileError(message, hint);
  return placed(mistake, lines, file) as KilnError;
}
