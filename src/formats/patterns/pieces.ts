// One .dockerignore pattern taken apart: what stands in it, in order, and what a match has to begin or end with.
import { type CharSet, complement, perlSets, posixSets } from "./char-set.ts";
import { patternInvalid } from "./invalid.ts";

/** One part of a pattern. */
export type Piece =
  | { readonly type: "char"; readonly char: string }
  | { readonly type: "set"; readonly set: CharSet; readonly repeated: boolean }
  /** Nothing, or anything that ends with a slash: `**` with something behind it. */
  | { readonly type: "directories" }
  /** Anything but line ends: `**` at the end. */
  | { readonly type: "anything" }
  | { readonly type: "assertion"; readonly source: "^" | "$" | "\\b" | "\\B" };

/** How a pattern is compared. */
export type Comparison =
  /** Also of what is no path of that form: `suffix` holds for the whole path, too, without its slash in front. */
  | { readonly type: "exact" | "prefix" | "suffix"; readonly text: string }
  | { readonly type: "pieces"; readonly pieces: readonly Piece[] };

type Ranges = CharSet["ranges"];

const slash: Ranges = [[0x2f, 0x2f]];
const notSlash: CharSet = { negated: true, ranges: slash };
const star: Piece = { type: "set", set: notSlash, repeated: true };
const one: Piece = { type: "set", set: notSlash, repeated: false };

/**
 * How a wildcard reads inside brackets. The reference writes patterns as regular expressions without looking where a
 * wildcard stands, so that `[*]` is no star there but a set of three characters, any number of times, and a bracket.
 */
const spelledOut = { star: "[^/]*", one: "[^/]", directories: "(.*/)?", anything: ".*" } as const;

const controls: ReadonlyMap<string, string> = new Map([
  ["a", "\x07"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
]);

const anchors: ReadonlyMap<string, "^" | "$" | "\\b" | "\\B"> = new Map([
  ["A", "^"],
  ["z", "$"],
  ["b", "\\b"],
  ["B", "\\B"],
]);

/** How `pattern`, cleaned and without `!`, is compared. Throws `PATTERN_INVALID`. */
export function readComparison(pattern: string): Comparison {
  // A caret is an anchor only in what has to be taken apart.
  const open = pattern.startsWith("**");
  const tail = open ? pattern.slice(2) : pattern;
  if (!/[*?[\]\\]/.test(tail)) return { type: open ? "suffix" : "exact", text: tail };
  if (!open && /^[^*?[\]\\]*\*\*$/.test(tail)) return { type: "prefix", text: tail.slice(0, -2) };
  return { type: "pieces", pieces: withoutRepeats(new PieceReader(pattern).read()) };
}

/** Two `**` in a row are as one. */
function withoutRepeats(pieces: readonly Piece[]): readonly Piece[] {
  return pieces.filter(
    ({ type }, at) => type !== "directories" || pieces[at - 1]?.type !== "directories",
  );
}

class PieceReader {
  readonly #pattern: string;
  readonly #chars: readonly string[];
  #at = 0;
  /** Of a wildcard inside brackets: what of its spelling is still to be read. */
  #spelled: string[] = [];

  constructor(pattern: string) {
    this.#pattern = pattern;
    this.#chars = [...pattern];
  }

  read(): readonly Piece[] {
    const pieces: Piece[] = [];
    while (this.#at < this.#chars.length) pieces.push(this.#piece());
    return pieces;
  }

  #piece(): Piece {
    const wildcard = this.#wildcard();
    if (wildcard === "star") return star;
    if (wildcard === "one") return one;
    if (wildcard) return { type: wildcard };
    const char = this.#chars[this.#at++] ?? "";
    if (char === "[") return this.#bracket();
    if (char === "^") return { type: "assertion", source: "^" };
    return char === "\\" ? this.#escape() : { type: "char", char };
  }

  /** Takes what stands for more than itself. A `**` takes the slash behind it along. */
  #wildcard(): keyof typeof spelledOut | undefined {
    const char = this.#chars[this.#at];
    if (char !== "*" && char !== "?") return undefined;
    this.#at++;
    if (char === "?") return "one";
    if (this.#chars[this.#at] !== "*") return "star";
    this.#at += this.#chars[this.#at + 1] === "/" ? 2 : 1;
    return this.#at < this.#chars.length ? "directories" : "anything";
  }

  #escape(): Piece {
    const char = this.#chars[this.#at++] ?? "";
    const anchor = anchors.get(char);
    if (anchor) return { type: "assertion", source: anchor };
    const ranges = classOf(char);
    if (ranges) return { type: "set", set: { negated: false, ranges }, repeated: false };
    return { type: "char", char: this.#unescaped(char) };
  }

  /** Punctuation stands for itself, a few letters for control characters. */
  #unescaped(char: string): string {
    const control = controls.get(char);
    if (control !== undefined) return control;
    if (char === "" || char > "\x7f" || /[0-9A-Za-z]/.test(char))
      throw patternInvalid(this.#pattern, `the escape \\${char}`);
    return char;
  }

  /** Reads from behind `[` to behind what closes it. */
  #bracket(): Piece {
    const negated = this.#chars[this.#at] === "^";
    if (negated) this.#at++;
    const ranges: (readonly [number, number])[] = [];
    do ranges.push(...this.#members());
    while (this.#peek() !== "]");
    this.#next();
    // What closed it may have been part of a wildcard that goes on.
    const repeated = this.#spelled.splice(0).length > 0;
    return { type: "set", set: { negated, ranges }, repeated };
  }

  #members(): Ranges {
    const named = this.#namedClass();
    if (named) return named;
    const from = this.#member();
    if (typeof from !== "string") return from;
    if (this.#peek() !== "-" || this.#peek(1) === "]" || this.#peek(1) === "") return [pair(from)];
    this.#next();
    const to = this.#member();
    // A class is no end of a range: what it was written with is.
    const [low, high] = [codeOf(from), typeof to === "string" ? codeOf(to) : -1];
    if (high < low) throw patternInvalid(this.#pattern, "a range that runs backwards");
    return [[low, high]];
  }

  /** One character, or the ranges of a class like `\d`. */
  #member(): string | Ranges {
    if (this.#peek() === "") throw patternInvalid(this.#pattern, "a bracket that is not closed");
    const char = this.#next();
    if (char !== "\\") return char;
    const escaped = this.#next();
    return classOf(escaped) ?? this.#unescaped(escaped);
  }

  /** `[:digit:]`, and `[:^digit:]` for all others. */
  #namedClass(): Ranges | undefined {
    if (this.#spelled.length > 0 || this.#chars[this.#at] !== "[") return undefined;
    const rest = this.#chars.slice(this.#at, this.#at + 20).join("");
    const [whole = "", not, name = ""] = /^\[:(\^?)([^:\]]*):\]/.exec(rest) ?? [];
    if (whole === "") return undefined;
    const ranges = Object.hasOwn(posixSets, name) ? posixSets[name] : undefined;
    if (!ranges) throw patternInvalid(this.#pattern, `the character class ${whole}`);
    this.#at += whole.length;
    return not === "" ? ranges : complement(ranges);
  }

  /** What comes next inside brackets, or behind that; empty at the end. */
  #peek(ahead = 0): string {
    if (this.#spelled.length > ahead) return this.#spelled[ahead] ?? "";
    if (this.#spelled.length === 0) this.#spell();
    return this.#spelled[ahead] ?? this.#chars[this.#at + ahead - this.#spelled.length] ?? "";
  }

  #next(): string {
    return this.#spelled.shift() ?? this.#chars[this.#at++] ?? "";
  }

  #spell(): void {
    const wildcard = this.#wildcard();
    if (wildcard) this.#spelled = [...spelledOut[wildcard]];
  }
}

/** The ranges of `\d`, `\s`, `\w`, and of all others for their capitals. */
function classOf(char: string): Ranges | undefined {
  const lower = char.toLowerCase();
  const ranges = Object.hasOwn(perlSets, lower) ? perlSets[lower] : undefined;
  return ranges === undefined || char === lower ? ranges : complement(ranges);
}

function pair(char: string): readonly [number, number] {
  return [codeOf(char), codeOf(char)];
}

function codeOf(char: string): number {
  return char.codePointAt(0) ?? 0;
}
