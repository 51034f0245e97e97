// What went wrong, for people: what, where with the excerpt, why, what to do, and the code to look up.
import {
  type ErrorCode,
  isAbortError,
  isKilnError,
  type KilnError,
  type SourcePlace,
} from "../../base/index.ts";
import { excerptLines } from "./excerpt.ts";
import type { Style } from "./style.ts";

/** Where the error codes are explained. */
const errorPage = "docs/errors.md";

/** Causes shown before the chain is cut. */
const longestChain = 8;

export interface ErrorLook {
  readonly style: Style;
  /** Show stacks (`--debug`). */
  readonly debug: boolean;
}

/** Exit code of a failed command, as buildx: 1, 130 when cancelled, 100 for what should not have happened. */
export function exitCodeOf(error: unknown): number {
  if (isAbortError(error)) return 130;
  return isKilnError(error) ? 1 : 100;
}

/** The text of an error, ending in a line break. */
export function errorText(error: unknown, look: ErrorLook): string {
  if (isAbortError(error)) return `${look.style.yellow("cancelled")}: ${messageOf(error)}\n`;
  if (!isKilnError(error)) return bugText(error, look);
  const all = [error, ...error.others];
  const blocks = groupByCode(all).map((group) => groupText(group, look));
  return `${blocks.join("\n\n")}\n`;
}

/** Mistakes of one kind are told together: the code and equal hints are said once. */
function groupByCode(errors: readonly KilnError[]): KilnError[][] {
  const groups = new Map<ErrorCode, KilnError[]>();
  for (const error of errors) groups.set(error.code, [...(groups.get(error.code) ?? []), error]);
  return [...groups.values()];
}

function groupText(errors: readonly KilnError[], look: ErrorLook): string {
  const lines = errors.flatMap((error, at) => {
    const next = errors[at + 1];
    const spaced = next !== undefined && (error.at !== undefined || error.hint !== undefined);
    return [...oneError(error, next?.hint === error.hint, look), ...(spaced ? [""] : [])];
  });
  const code = errors[0]?.code ?? "";
  return [...lines, look.style.dim(`[${code}] ${errorPage}#${code.toLowerCase()}`)].join("\n");
}

function oneError(error: KilnError, hintFollows: boolean, look: ErrorLook): string[] {
  const { style } = look;
  const lines = [`${style.red(style.bold("error:"))} ${style.bold(oneParagraph(error.message))}`];
  if (error.at)
    lines.push(`  ${style.cyan("-->")} ${placeText(error.at)}`, ...excerptLines(error.at, style));
  lines.push(...causeLines(error, look));
  if (error.hint !== undefined && !hintFollows) lines.push(`${style.green("hint:")} ${error.hint}`);
  if (look.debug && error.stack !== undefined) lines.push(style.dim(error.stack));
  return lines;
}

/** `file:line:column`. */
export function placeText(at: SourcePlace): string {
  return `${at.file}:${at.line}${at.column === undefined ? "" : `:${at.column}`}`;
}

function causeLines(error: KilnError, look: ErrorLook): string[] {
  const lines: string[] = [];
  let said = error.message;
  let cause = error.cause;
  for (let depth = 0; cause !== undefined && depth < longestChain; depth++) {
    const text = messageOf(cause);
    // A cause whose words are part of what was just said adds nothing.
    if (!said.includes(text)) lines.push(`${look.style.yellow("because:")} ${text}`);
    said = text;
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return lines;
}

function bugText(error: unknown, look: ErrorLook): string {
  const { style } = look;
  const lines = [
    `${style.red(style.bold("error:"))} ${style.bold(messageOf(error))}`,
    "This is a bug in Kiln: please report it with the lines below.",
    error instanceof Error && error.stack !== undefined ? error.stack : String(error),
  ];
  return `${lines.join("\n")}\n`;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return oneParagraph(String(error));
  return oneParagraph(error.message === "" ? error.name : error.message);
}

/** Continuation lines are indented, so that they are not taken for lines of their own. */
function oneParagraph(text: string): string {
  return text.trimEnd().replaceAll("\n", "\n  ");
}
