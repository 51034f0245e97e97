// Sets of characters: what stands between square brackets, read by Go's two rules for it.

/** A set of code points, as inclusive ranges, or everything but these. */
export interface CharSet {
  readonly negated: boolean;
  readonly ranges: readonly (readonly [from: number, to: number])[];
}

type Range = readonly [from: number, to: number];

export function setHas(set: CharSet, code: number): boolean {
  return set.ranges.some(([from, to]) => code >= from && code <= to) !== set.negated;
}

/** The set in JavaScript's syntax, for the flag `u`. */
export function setSource({ negated, ranges }: CharSet): string {
  const inner = ranges.map(([from, to]) =>
    from === to ? unit(from) : `${unit(from)}-${unit(to)}`,
  );
  return `[${negated ? "^" : ""}${inner.join("")}]`;
}

function unit(code: number): string {
  return `\\u{${code.toString(16)}}`;
}

const digits: readonly Range[] = [[0x30, 0x39]];
const upper: readonly Range[] = [[0x41, 0x5a]];
const lower: readonly Range[] = [[0x61, 0x7a]];
const letters: readonly Range[] = [...upper, ...lower];
const word: readonly Range[] = [...digits, ...letters, [0x5f, 0x5f]];
const spaces: readonly Range[] = [
  [0x09, 0x0a],
  [0x0c, 0x0d],
  [0x20, 0x20],
];

/** `\d`, `\s`, `\w` of Go's regular expressions, all ASCII. */
export const perlSets: Readonly<Record<string, readonly Range[]>> = {
  d: digits,
  s: spaces,
  w: word,
};

/** `[:name:]` inside brackets. */
export const posixSets: Readonly<Record<string, readonly Range[]>> = {
  alnum: [...digits, ...letters],
  alpha: letters,
  ascii: [[0, 0x7f]],
  blank: [
    [0x09, 0x09],
    [0x20, 0x20],
  ],
  cntrl: [
    [0, 0x1f],
    [0x7f, 0x7f],
  ],
  digit: digits,
  graph: [[0x21, 0x7e]],
  lower,
  print: [[0x20, 0x7e]],
  punct: [
    [0x21, 0x2f],
    [0x3a, 0x40],
    [0x5b, 0x60],
    [0x7b, 0x7e],
  ],
  space: [
    [0x09, 0x0d],
    [0x20, 0x20],
  ],
  upper,
  word,
  xdigit: [...digits, [0x41, 0x46], [0x61, 0x66]],
};

/** Everything that `ranges` do not hold. */
export function complement(ranges: readonly Range[]): readonly Range[] {
  const out: Range[] = [];
  let next = 0;
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    if (from > next) out.push([next, from - 1]);
    next = Math.max(next, to + 1);
  }
  if (next <= 0x10ffff) out.push([next, 0x10ffff]);
  return out;
}
