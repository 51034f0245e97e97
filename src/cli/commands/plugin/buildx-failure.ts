// Failures in the words and exit codes of docker buildx, for scripts that call Kiln by its name.
import {
  isAbortError,
  isKilnError,
  type KilnError,
  type SourcePlace,
} from "../../../base/index.ts";
import { StatusError } from "../../../remote/grpc/index.ts";
import { readSources, sourceText } from "../buildctl/source-excerpt.ts";
import { buildxHint, buildxWords, countWords, usageText } from "./buildx-words.ts";

export interface SaidFailure {
  /** Ends in a line break. */
  readonly text: string;
  readonly exitCode: number;
}

/** What docker's own reader of flags complains of, with its exit code; the rest is checked later, by buildx. */
const flagMistake = /^(unknown flag|unknown shorthand flag|flag needs an argument)/;
const flagExitCode = 125;

/**
 * `command` is the line's first word that is no flag, `byDocker` whether docker has called, which reads flags as its own.
 * Undefined for what should not have happened.
 */
export function buildxFailure(
  error: unknown,
  { command, byDocker }: { readonly command: string | undefined; readonly byDocker: boolean },
): SaidFailure | undefined {
  const building = command === "build" || command === "b" ? "failed to build: " : "";
  const solving = building !== "" || command === "bake" || command === "f";
  if (isAbortError(error)) {
    const words = solving ? `${building}failed to solve: Canceled: ` : "";
    return { text: `ERROR: ${words}context canceled\n`, exitCode: 130 };
  }
  if (!isKilnError(error)) return undefined;
  if (byDocker && flagMistake.test(error.message))
    return {
      text: `${error.message}\n\n${buildxHint(error.hint ?? "", byDocker)}\n`,
      exitCode: flagExitCode,
    };
  const counted = countWords(error, byDocker);
  if (counted !== undefined)
    return { text: `ERROR: ${counted}\n${usageText(error, byDocker)}`, exitCode: 1 };
  if (error.code === "BAKE_INVALID" && error.at)
    return { text: definitionText(error, byDocker), exitCode: 1 };
  const texts = [error, ...error.others].map((one) => {
    const status = one.cause instanceof StatusError ? one.cause : undefined;
    const { said: wire, target } = one.details;
    const words = buildxWords(one);
    const early = earlyCodes.has(one.code) && !words.late;
    const solved = solving && (status || one.at || wire) ? "failed to solve: " : "";
    const message = status?.message ?? (typeof wire === "string" ? wire : words.text);
    const said = solved === "" ? message : message.replace(/^failed to solve: /, "");
    const whose = target === undefined ? "" : `target ${target}: `;
    const asked = early ? "" : building;
    return `${excerpt(one, status)}ERROR: ${whose}${asked}${solved}${said}\n${hintText(one, byDocker)}`;
  });
  return { text: texts.join(""), exitCode: 1 };
}

/** Of failures that buildx meets before it begins to build. */
const earlyCodes: ReadonlySet<string> = new Set(["BUILDER_NOT_FOUND", "FLAG_INVALID"]);

/** A mistake in a bake file as HCL's own diagnostics: the first one in words, the others as a number. */
function definitionText(error: KilnError, byDocker: boolean): string {
  const { at, message, others } = error;
  const more = others.length === 0 ? "" : `, and ${others.length} other diagnostic(s)`;
  const place = at ? `${at.file}:${rangeText(at)}: ` : "";
  return `${excerpt(error, undefined)}ERROR: ${place}${message}${more}\n${hintText(error, byDocker)}`;
}

/** `LINE,COLUMN-COLUMN`, or `LINE,COLUMN-LINE,COLUMN` over several lines. */
function rangeText({ line, column = 1, endLine = line, endColumn = column }: SourcePlace): string {
  const end = endLine === line ? `${endColumn}` : `${endLine},${endColumn}`;
  return `${line},${column}-${end}`;
}

function excerpt({ at }: KilnError, status: StatusError | undefined): string {
  const told = status ? readSources(status) : [];
  if (told.length > 0) return told.map(sourceText).join("");
  if (at?.text === undefined) return "";
  const ranges = [{ start: at.line, end: at.endLine ?? at.line }];
  return sourceText({ file: at.file, text: at.text, ranges });
}

function hintText({ hint }: KilnError, byDocker: boolean): string {
  return hint === undefined ? "" : `hint: ${buildxHint(hint, byDocker)}\n`;
}
