// Regular expressions that somebody else wrote, in Go's syntax: tried for a short time only.
import { createContext, Script } from "node:vm";
import type { KilnError } from "./errors.ts";

/** Milliseconds that one attempt may take: patterns can be written that need years. */
const patience = 200;
/** In characters. */
const maxPattern = 4096;
const maxText = 65_536;

/** The classes of `[[:alpha:]]`. */
const classes: Readonly<Record<string, string>> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  ascii: "\\x00-\\x7F",
  blank: "\\t ",
  cntrl: "\\x00-\\x1F\\x7F",
  digit: "0-9",
  graph: "!-~",
  lower: "a-z",
  print: " -~",
  punct: "!-\\/:-@[-`{-~",
  space: "\\t\\n\\v\\f\\r ",
  upper: "A-Z",
  word: "0-9A-Za-z_",
  xdigit: "0-9A-Fa-f",
};

/** What matched: the whole first, then the groups, with the names of those that have one. */
export interface PatternMatch {
  readonly groups: readonly (string | undefined)[];
  readonly named: Readonly<Record<string, string | undefined>>;
  /** Where the whole begins and ends. */
  readonly start: number;
  readonly end: number;
}

interface Bench {
  readonly script: Script;
  readonly room: { run: () => unknown };
}

/** Made when first needed: most commands meet no such pattern. */
let bench: Bench | undefined;

/**
 * A pattern of Go's regexp/syntax as a function that finds its first match at or after `from`. Throws what `invalid` makes
 * for a pattern that is none, and for one that takes too long.
 */
export function foreignPattern(
  pattern: string,
  invalid: (why: string) => KilnError,
): (text: string, from?: number) => PatternMatch | undefined {
  if (pattern.length > maxPattern) throw invalid(`it has more than ${maxPattern} characters`);
  const compiled = compile(pattern, invalid);
  return (text, from = 0) => {
    if (text.length > maxText) throw invalid(`it is tried on more than ${maxText} characters`);
    compiled.lastIndex = from;
    const found = timed(() => compiled.exec(text), invalid);
    if (!found) return undefined;
    return {
      groups: [...found],
      named: found.groups ?? {},
      start: found.index,
      end: found.index + found[0].length,
    };
  };
}

function compile(pattern: string, invalid: (why: string) => KilnError): RegExp {
  const flags = /^\(\?([ims]+)\)/.exec(pattern);
  const rest = flags ? pattern.slice(flags[0].length) : pattern;
  if (/\(\?(?:=|!|<=|<!)|\\[1-9]|\\k</.test(rest))
    throw invalid("it looks around or back, which cannot be done in bounded time");
  const translated = rest
    .replaceAll("(?P<", "(?<")
    .replaceAll("\\A", "^")
    .replaceAll("\\z", "$")
    .replaceAll(/\[:(\^?)(\w+):\]/g, (whole, not: string, name: string) =>
      not === "" ? (classes[name] ?? whole) : whole,
    );
  try {
    return new RegExp(translated, `g${flags?.[1] ?? ""}`);
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error));
  }
}

/** V8 looks for the end of its time while it matches. */
function timed<T>(run: () => T, invalid: (why: string) => KilnError): T {
  try {
    bench ??= { script: new Script("run()"), room: createContext({ run }) as Bench["room"] };
    bench.room.run = run;
    return bench.script.runInContext(bench.room as never, { timeout: patience }) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_SCRIPT_EXECUTION_TIMEOUT")
      throw invalid("it takes too long to match");
    throw error;
  }
}
