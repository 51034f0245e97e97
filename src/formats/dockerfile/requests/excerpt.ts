// A few lines of a file with those that are meant marked, as BuildKit's clients show them.
import type { LineRange } from "../ast.ts";

/** `Dockerfile:3` and the lines around it; nothing where no place is known. */
export function excerpt(filename: string, source: string, at: readonly LineRange[]): string {
  if (at.length === 0) return "";
  const lines = source.split("\n");
  const start = Math.min(...at.map((range) => range.start));
  const end = Math.max(...at.map((range) => range.end));
  const marked = (line: number): boolean =>
    at.some((range) => range.start <= line && line <= range.end);
  const [from, to] = widened(start, end, lines.length);
  const shown = Array.from({ length: to - from + 1 }, (_, offset) => {
    const number = from + offset;
    const text = lines[number - 1] ?? "";
    return `${String(number).padStart(4)} | ${marked(number) ? ">>>" : "   "} ${text}\n`;
  });
  return `${filename}:${start}\n${rule}${shown.join("")}${rule}`;
}

const rule = "--------------------\n";

/** A single line gets more neighbours than several; what is missing on one side is added to the other, more or less. */
function widened(start: number, end: number, last: number): readonly [from: number, to: number] {
  const wanted = start === end ? 4 : 2;
  let [from, to] = [start, end];
  for (let added = 0; added < wanted; added++) {
    if (from > 1) {
      from--;
      added++;
    }
    if (to < last) {
      to++;
      added++;
    }
  }
  return [from, to];
}
