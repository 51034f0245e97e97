// Places as the answers of sub-requests have them: LLB's Location message as Go writes it in JSON.
import { type LineRange, rangesOf } from "../ast.ts";

/** Zeroes are left out, so an index of 0 is not there. */
export interface LocationJson {
  readonly ranges?: readonly {
    readonly start: { readonly line: number };
    readonly end: { readonly line: number };
  }[];
}

/** One range a line. */
export function locationJson(lines: LineRange | readonly LineRange[]): LocationJson {
  const all = ("start" in lines ? [lines] : lines).flatMap(rangesOf);
  return all.length === 0
    ? {}
    : { ranges: all.map(({ start, end }) => ({ start: { line: start }, end: { line: end } })) };
}
