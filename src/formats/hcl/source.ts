// Where something stands in a file, and mistakes that point there.
import { KilnError, type SourcePlace } from "../../base/index.ts";

/** A file as it was read. */
export interface Source {
  /** As the user knows it, for messages. */
  readonly name: string;
  readonly text: string;
}

/** A part of a file, in UTF-16 offsets; `end` is behind it. */
export interface Range {
  readonly source: Source;
  readonly start: number;
  readonly end: number;
}

/** From the beginning of one to the end of the other. */
export function spanning(first: Range, last: Range): Range {
  return { source: first.source, start: first.start, end: last.end };
}

/** Line and column, both from 1. */
export function placeOf({ source, start, end }: Range): SourcePlace {
  const before = lineColumn(source.text, start);
  const behind = lineColumn(source.text, Math.max(start, end));
  return {
    file: source.name,
    line: before.line,
    column: before.column,
    endLine: behind.line,
    endColumn: behind.column,
    text: source.text,
  };
}

/** A mistake in a file, in the words of HCL's diagnostics: what kind it is, and what is wrong here. */
export function mistakeAt(range: Range | undefined, summary: string, detail: string): KilnError {
  return new KilnError("BAKE_INVALID", `${summary}; ${detail}`, {
    details: { summary, detail },
    ...(range === undefined ? {} : { at: placeOf(range) }),
  });
}

function lineColumn(text: string, offset: number): { line: number; column: number } {
  let line = 1;
  let begin = 0;
  for (;;) {
    const next = text.indexOf("\n", begin);
    if (next === -1 || next >= offset) return { line, column: offset - begin + 1 };
    line++;
    begin = next + 1;
  }
}
