// The words after a build: what the failed step said last, and all warnings.
import type { Warning } from "../../api/index.ts";
import { excerptLines, placeText, type Style } from "../report/index.ts";
import type { ProgressModel } from "./model.ts";

/**
 * Last output of the failed steps, as lines. `most` limits what is shown of each; steps that said nothing are there with
 * `silent` only.
 */
export function failureLines(
  model: ProgressModel,
  most: number,
  style: Style,
  { silent = false }: { readonly silent?: boolean } = {},
): string[] {
  const shownSteps = model.failed.filter((line) => silent || line.log.length > 0);
  return shownSteps.flatMap((line) => {
    const shown = line.log.slice(-most);
    const left = line.log.length - shown.length;
    return [
      "------",
      ` ${style.red(">")} ${style.bold(line.name)}:`,
      ...(left > 0 ? [style.dim(`… ${left} more above`)] : []),
      ...shown.map(({ text, atMs }) => `${style.dim((atMs / 1000).toFixed(3))} ${text}`),
      ...(line.logPath === undefined ? [] : [style.dim(`whole log: ${line.logPath}`)]),
      "------",
    ];
  });
}

/** Warnings, each with its place; nothing where there are none. */
export function warningLines(warnings: readonly Warning[], style: Style): string[] {
  if (warnings.length === 0) return [];
  const count = `${warnings.length} warning${warnings.length === 1 ? "" : "s"} found`;
  return [
    "",
    ` ${style.yellow(count)} (use --debug to expand):`,
    ...warnings.flatMap((warning) => oneWarning(warning, style)),
  ];
}

function oneWarning(warning: Warning, style: Style): string[] {
  const rule = warning.rule === undefined ? "" : `${warning.rule}: `;
  const place = warning.at
    ? ` (${placeText({ file: warning.at.file, line: warning.at.line })})`
    : "";
  return [` - ${style.bold(rule)}${warning.message}${place}`];
}

/** A warning in one line, in BuildKit's words. */
export function warningTitle({ rule, message, at }: Warning): string {
  return `${rule === undefined ? "" : `${rule}: `}${message}${at ? ` (line ${at.line})` : ""}`;
}

/** One warning at length: its explanation and the excerpt. For `--debug` and `--check`. */
export function warningBlock(warning: Warning, style: Style): string[] {
  const title = `${style.yellow("WARNING:")} ${style.bold(warning.rule ?? warning.message)}`;
  return [
    "",
    warning.url === undefined ? title : `${title} - ${warning.url}`,
    ...(warning.rule === undefined ? [] : [warning.message]),
    ...(warning.detail ?? []),
    ...(warning.at ? [placeText({ file: warning.at.file, line: warning.at.line })] : []),
    ...(warning.at
      ? ["--------------------", ...excerptLines(warning.at, style), "--------------------"]
      : []),
  ];
}
