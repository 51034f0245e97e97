// One .dockerignore pattern: what moby/patternmatcher makes of it, without a backtracking matcher underneath.
import { KilnError } from "../../base/index.ts";
import { type CharSet, complement, perlSets, posixSets, setHas, setSource } from "./char-set.ts";

/** One step of an expression. */
export type Step =
  | { readonly type: "char"; readonly char: string }
  | { readonly type: "set"; readonly set: CharSet; readonly repeated: boolean }
  /** Nothing, or anything that ends with a slash. */
  | { readonly type: "directories" }
  /** Anything but line ends. */
  | { readonly type: "anything" }
  | { readonly type: "assertion"; readonly source: "^" | "$" | "\\b" | "\\B" };

/**
 * How a pattern is compared. The reference writes it as a Go regular expression without looking whether a wildcard stands
 * in brackets, and this does the same: `[*]` is not a star there either.
 */
export type Comparison =
  | { readonly type: "exact"; readonly text: string }
  | { readonly type: "prefix"; readonly text: string }
  | { readonly type: "suffix"; readonly text: string }
  | { readonly type: "steps"; readonly steps: readonly Step[] };

/** How `pattern`, cleaned and without `!`, is compared. Throws `PATTERN_INVALID`. */
export function compileComparison(pattern: string): Comparison {
  const { type, source } = toSource(pattern);
  if (type === "exact") return { type, text: pattern };
  if (type === "prefix") return { type, text: pattern.slice(0, -2) };
  if (type === "suffix") return { type, text: pattern.slice(2) };
  return { type, steps: new StepParser(pattern, source).parse() };
}

const directories = "(.*/)?";
const anything = ".*";

function toSource(pattern: string): { type: Comparison["type"]; source: string } {
  const chars = [...pattern];
  let type: Comparison["type"] = "exact";
  let source = "";
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] ?? "";
    if (char === "*" && chars[at + 1] === "*") {
      const first = at === 0;
      at += chars[at + 2] === "/" ? 2 : 1;
      if (at + 1 < chars.length) {
        source += directories;
        type = "steps";
      } else if (type === "exact") type = "prefix";
      else {
        source += anything;
        type = "steps";
      }
      if (first) type = "suffix";
    } else if (char === "*" || char === "?") {
      source += char === "*" ? "[^/]*" : "[^/]";
      type = "steps";
    } else if (".+()|{}$".includes(char)) source += `\\${char}`;
    else if (char === "\\") {
      source += char + (chars[++at] ?? "");
      type = "steps";
    } else {
      source += char;
      if (char === "[" || char === "]") type = "steps";
    }
  }
  return { type, source };
}

const controlEscapes: Readonly<Record<string, string>> = {
  a: "\x07",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** Reads the part of Go's regular expressions that `toSource` can write. */
class StepParser {
  readonly #pattern: string;
  readonly #chars: readonly string[];
  #at = 0;

  constructor(pattern: string, source: string) {
    this.#pattern = pattern;
    this.#chars = [...source];
  }

  parse(): readonly Step[] {
    const steps: Step[] = [];
    while (this.#at < this.#chars.length) {
      const step = this.#step();
      // Two in a row are as one.
      if (step.type !== "directories" || steps.at(-1)?.type !== "directories") steps.push(step);
    }
    return steps;
  }

  #step(): Step {
    if (this.#takes(directories)) return { type: "directories" };
    if (this.#takes(anything)) return { type: "anything" };
    const char = this.#chars[this.#at++] ?? "";
    if (char === "[") {
      const set = this.#set();
      return { type: "set", set, repeated: this.#takes("*") };
    }
    if (char === "^") return { type: "assertion", source: "^" };
    return char === "\\" ? this.#escape() : { type: "char", char };
  }

  #takes(text: string): boolean {
    const found = [...text].every((char, index) => this.#chars[this.#at + index] === char);
    if (found) this.#at += text.length;
    return found;
  }

  #escape(): Step {
    const char = this.#chars[this.#at++] ?? "";
    if (char === "b" || char === "B") return { type: "assertion", source: `\\${char}` };
    if (char === "A") return { type: "assertion", source: "^" };
    if (char === "z") return { type: "assertion", source: "$" };
    const ranges = perlRanges(char);
    if (ranges) return { type: "set", set: { negated: false, ranges }, repeated: false };
    return { type: "char", char: this.#plainEscape(char) };
  }

  /** Punctuation stands for itself, a few letters for control characters. */
  #plainEscape(char: string): string {
    const control = Object.hasOwn(controlEscapes, char) ? controlEscapes[char] : undefined;
    if (control !== undefined) return control;
    if (char === "" || char > "\x7f" || /[0-9A-Za-z]/.test(char))
      this.#fail(`the escape \\${char}`);
    return char;
  }

  /** Reads from after `[` to after `]`. */
  #set(): CharSet {
    const negated = this.#takes("^");
    const ranges: (readonly [number, number])[] = [];
    for (let first = true; first || this.#chars[this.#at] !== "]"; first = false) {
      if (this.#at >= this.#chars.length) this.#fail("a bracket that is not closed");
      ranges.push(...(this.#posix() ?? this.#perl() ?? [this.#range()]));
    }
    this.#at++;
    return { negated, ranges };
  }

  #posix(): readonly (readonly [number, number])[] | undefined {
    if (this.#chars[this.#at] !== "[" || this.#chars[this.#at + 1] !== ":") return undefined;
    const rest = this.#chars.slice(this.#at, this.#at + 20).join("");
    const match = /^\[:(\^?)([^:\]]*):\]/.exec(rest);
    if (!match) return undefined;
    const [whole, not, name = ""] = match;
    const ranges = Object.hasOwn(posixSets, name) ? posixSets[name] : undefined;
    if (!ranges) return this.#fail(`the character class ${whole}`);
    this.#at += whole.length;
    return not === "" ? ranges : complement(ranges);
  }

  #perl(): readonly (readonly [number, number])[] | undefined {
    if (this.#chars[this.#at] !== "\\") return undefined;
    const ranges = perlRanges(this.#chars[this.#at + 1] ?? "");
    if (ranges) this.#at += 2;
    return ranges;
  }

  #range(): readonly [number, number] {
    const from = this.#setChar();
    const after = this.#chars[this.#at + 1];
    if (this.#chars[this.#at] !== "-" || after === undefined || after === "]") return [from, from];
    this.#at++;
    const to = this.#setChar();
    if (to < from) this.#fail("a range that runs backwards");
    return [from, to];
  }

  #setChar(): number {
    const char = this.#chars[this.#at++] ?? "";
    const plain = char === "\\" ? this.#plainEscape(this.#chars[this.#at++] ?? "") : char;
    return plain.codePointAt(0) ?? 0;
  }

  #fail(what: string): never {
    throw new KilnError("PATTERN_INVALID", `pattern ${this.#pattern}: ${what} is not understood`, {
      hint: "Write a backslash only before the characters that it should take the meaning of.",
    });
  }
}

function perlRanges(char: string): readonly (readonly [number, number])[] | undefined {
  const lower = char.toLowerCase();
  const ranges = Object.hasOwn(perlSets, lower) ? perlSets[lower] : undefined;
  return ranges === undefined || char === lower ? ranges : complement(ranges);
}

/** A function that says whether a whole path matches the steps. */
export function compileSteps(steps: readonly Step[]): (path: string) => boolean {
  const least = steps.filter(
    (step) => step.type === "char" || (step.type === "set" && !step.repeated),
  ).length;
  if (mayBacktrack(steps)) return (path) => path.length >= least && runSteps(steps, path);
  const expression = new RegExp(`^${steps.map(stepSource).join("")}$`, "u");
  return (path) => expression.test(path);
}

/** More than this, and JavaScript's matcher could take longer than the square of a component's length. */
function mayBacktrack(steps: readonly Step[]): boolean {
  let wide = 0;
  let stars = 0;
  for (const step of steps) {
    if (step.type === "directories" || step.type === "anything") wide++;
    else if (step.type === "char" && step.char === "/") stars = 0;
    else if (step.type === "set" && step.repeated) {
      stars++;
      // A repeated set that holds the slash runs over the whole path.
      if (setHas(step.set, 0x2f)) wide++;
    }
    if (wide > 1 || stars > 2) return true;
  }
  return false;
}

function stepSource(step: Step): string {
  if (step.type === "directories") return "(?:[^\\n]*/)?";
  if (step.type === "anything") return "[^\\n]*";
  if (step.type === "assertion") return step.source;
  if (step.type === "set") return setSource(step.set) + (step.repeated ? "*" : "");
  return `\\u{${(step.char.codePointAt(0) ?? 0).toString(16)}}`;
}

/** All ways at once, character by character: steps times characters, whatever the pattern. */
export function runSteps(steps: readonly Step[], path: string): boolean {
  const chars = [...path];
  // Two states a step: before it, and inside a "directories" that has begun.
  let states = new Uint8Array((steps.length + 1) * 2);
  states[0] = 1;
  for (const [at, char] of chars.entries()) {
    skipEmpty(steps, states, chars, at);
    states = advance(steps, states, char);
  }
  skipEmpty(steps, states, chars, chars.length);
  return states[steps.length * 2] === 1;
}

/** Marks what is reached without a character. */
function skipEmpty(
  steps: readonly Step[],
  states: Uint8Array,
  chars: readonly string[],
  at: number,
): void {
  for (const [index, step] of steps.entries()) {
    if (states[index * 2] !== 1) continue;
    const empty =
      step.type === "directories" ||
      step.type === "anything" ||
      (step.type === "set" && step.repeated) ||
      (step.type === "assertion" && holds(step.source, chars, at));
    if (empty) states[index * 2 + 2] = 1;
  }
}

function advance(
  steps: readonly Step[],
  states: Uint8Array,
  char: string,
): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(states.length);
  const code = char.codePointAt(0) ?? 0;
  for (const [index, step] of steps.entries()) {
    const before = states[index * 2] === 1;
    const inside = states[index * 2 + 1] === 1;
    if (step.type === "directories" && (before || inside)) {
      if (char !== "\n") next[index * 2 + 1] = 1;
      if (char === "/") next[index * 2 + 2] = 1;
    }
    if (!before) continue;
    if (step.type === "anything" && char !== "\n") next[index * 2] = 1;
    if (step.type === "char" && step.char === char) next[index * 2 + 2] = 1;
    if (step.type === "set" && setHas(step.set, code))
      next[index * 2 + (step.repeated ? 0 : 2)] = 1;
  }
  return next;
}

function holds(assertion: string, chars: readonly string[], at: number): boolean {
  if (assertion === "^") return at === 0;
  if (assertion === "$") return at === chars.length;
  const boundary = isWord(chars[at - 1]) !== isWord(chars[at]);
  return boundary === (assertion === "\\b");
}

function isWord(char: string | undefined): boolean {
  return char !== undefined && /^\w$/.test(char);
}
