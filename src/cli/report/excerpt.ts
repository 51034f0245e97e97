// The lines of a user's file around a place, as buildctl prints them: `>>>` marks the lines meant, carets the words.
import type { SourcePlace } from "../../base/index.ts";
import type { Style } from "./style.ts";

/** Lines shown before and after the place. */
const around = 3;

/** Lines of a long place that are shown before it is cut. */
const longest = 12;

/** The excerpt as lines, or none where the text is unknown or has no such line. */
export function excerptLines(at: SourcePlace, style: Style): string[] {
  if (at.text === undefined) return [];
  const source = at.text.split("\n").map((line) => line.replace(/\r$/, ""));
  if (source.at(-1) === "") source.pop();
  if (at.line < 1 || at.line > source.length) return [];
  const last = Math.min(source.length, Math.max(at.line, at.endLine ?? at.line));
  const shownLast = Math.min(last, at.line + longest - 1);
  const from = Math.max(1, at.line - around);
  const to = shownLast < last ? shownLast : Math.min(source.length, last + around);
  const width = Math.max(4, String(to).length);
  const lines: string[] = [];
  for (let number = from; number <= to; number++) {
    const marked = number >= at.line && number <= last;
    const label = style.dim(`${String(number).padStart(width)} |`);
    const text = printable(source[number - 1] ?? "");
    lines.push(
      marked
        ? `${label} ${style.red(">>>")} ${style.bold(text)}`
        : `${label}     ${text}`.trimEnd(),
    );
    if (marked && number === at.line) lines.push(...caretLine(at, text, width, style));
  }
  if (shownLast < last) lines.push(`${" ".repeat(width)} … ${last - shownLast} more lines`);
  return lines;
}

function caretLine(at: SourcePlace, text: string, width: number, style: Style): string[] {
  if (at.column === undefined) return [];
  const start = at.column - 1;
  if (start > text.length) return [];
  const sameLine = at.endLine === undefined || at.endLine === at.line;
  const end =
    sameLine && at.endColumn !== undefined ? Math.min(at.endColumn - 1, text.length) : start + 1;
  const carets = "^".repeat(Math.max(1, end - start));
  return [`${style.dim(`${" ".repeat(width)} |`)}     ${" ".repeat(start)}${style.red(carets)}`];
}

/** Tabs as one space so that carets stand right, control characters as `?` so that files cannot steer the terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed.
  return text.replaceAll("\t", " ").replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
}
