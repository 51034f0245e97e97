// The lines of a Dockerfile, one after the other, each within the reference's limit.

/** Longest line in bytes, without its line end: what the reference's scanner takes. */
export const MAX_LINE_BYTES = 65_535;

/** Reads a text line by line. */
export interface LineReader {
  /** Number of the line read last; 0 before the first. */
  readonly number: number;
  /** Where in the text the next line begins. */
  readonly offset: number;
  /** The next line without `\n`, or undefined at the end of the text. */
  next(): string | undefined;
}

export function createLineReader(text: string): LineReader {
  let number = 0;
  let offset = 0;
  return {
    get number() {
      return number;
    },
    get offset() {
      return offset;
    },
    next() {
      if (offset >= text.length) return undefined;
      const newline = text.indexOf("\n", offset);
      const line = newline === -1 ? text.slice(offset) : text.slice(offset, newline);
      offset = newline === -1 ? text.length : newline + 1;
      number++;
      return line;
    },
  };
}

/** True when the line is longer than `MAX_LINE_BYTES`. */
export function isTooLong(line: string): boolean {
  // A code unit has at most three bytes.
  if (line.length * 3 <= MAX_LINE_BYTES) return false;
  return line.length > MAX_LINE_BYTES || new TextEncoder().encode(line).length > MAX_LINE_BYTES;
}
