// Reads arguments the way pflag and cobra do, so that what buildx users type works unchanged.
import { closest, KilnError, readCsv } from "../../base/index.ts";
import type { Flag, FlagSet, Flags } from "./spec.ts";
import { parseBool, parseDuration, parseInteger, parseSize } from "./values.ts";

export interface ParseOptions {
  /** End flags at the first positional argument. */
  readonly stopAtPositional?: boolean;
  /** Words for "see help": `kiln build`. */
  readonly command: string;
  /** One dash does for two, and two for one, as in Go's own flag package: `-addr`, `--o`. */
  readonly singleDash?: boolean;
}

export interface Parsed<S extends FlagSet = FlagSet> {
  readonly flags: Flags<S>;
  /** Positional arguments, in order. */
  readonly args: readonly string[];
  /** What to tell the user besides: deprecated flags. */
  readonly warnings: readonly string[];
}

/** Reads `argv` (without program and command name). Throws `FLAG_INVALID` at the first mistake, with what was meant. */
export function parseFlags<S extends FlagSet>(
  set: S,
  argv: readonly string[],
  options: ParseOptions,
): Parsed<S> {
  const reader = new Reader(set, options.command);
  const args: string[] = [];
  const queue = [...argv];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (options.singleDash) word = reader.dashed(word);
    if (word === "--") {
      args.push(...queue.splice(0));
    } else if (word.startsWith("--")) {
      reader.long(word, queue);
    } else if (word.startsWith("-") && word !== "-") {
      reader.short(word, queue);
    } else {
      args.push(word);
      if (options.stopAtPositional) args.push(...queue.splice(0));
    }
  }
  return { flags: reader.flags() as Flags<S>, args, warnings: reader.warnings };
}

/** Gathers values while the arguments go by. */
class Reader {
  readonly warnings: string[] = [];
  readonly #set: FlagSet;
  readonly #command: string;
  readonly #texts = new Map<string, string[]>();
  readonly #values = new Map<string, unknown>();

  constructor(set: FlagSet, command: string) {
    this.#set = set;
    this.#command = command;
    for (const [name, flag] of Object.entries(set))
      this.#values.set(name, initialValue(name, flag));
  }

  /** A flag's word with as many dashes as its name asks for. */
  dashed(word: string): string {
    const [, name = "", rest = ""] = /^--?([a-zA-Z][\w-]*)((?:=.*)?)$/s.exec(word) ?? [];
    if (name.length > 1 && Object.hasOwn(this.#set, name)) return `--${name}${rest}`;
    const found = Object.entries(this.#set).find(([, flag]) => flag.short === name);
    return name.length === 1 && found ? `--${found[0]}${rest}` : word;
  }

  long(word: string, queue: string[]): void {
    const body = word.slice(2);
    if (body.startsWith("-") || body.startsWith("=")) throw this.#wrong(`bad flag syntax: ${word}`);
    const at = body.indexOf("=");
    const name = at === -1 ? body : body.slice(0, at);
    const flag = Object.hasOwn(this.#set, name) ? this.#set[name] : undefined;
    if (!flag) throw this.#unknown(name);
    if (at !== -1) this.#take(name, flag, `--${name}`, body.slice(at + 1));
    else this.#take(name, flag, `--${name}`, aloneValue(flag) ?? this.#next(queue, `--${name}`));
  }

  /** `-abc`: letters in turn, until one takes the rest of the word, or the next word, as its value. */
  short(word: string, queue: string[]): void {
    for (let rest = word.slice(1); rest !== ""; ) {
      const letter = rest[0] ?? "";
      const found = Object.entries(this.#set).find(([, flag]) => flag.short === letter);
      if (!found) throw this.#unknownShort(letter, word);
      const [name, flag] = found;
      const alone = aloneValue(flag);
      const spelt = `-${letter}`;
      // pflag wants something behind the sign: a bare `-t=` is the value "=".
      if (rest.length > 2 && rest[1] === "=") {
        this.#take(name, flag, spelt, rest.slice(2));
        return;
      }
      if (alone === undefined) {
        this.#take(name, flag, spelt, rest.length > 1 ? rest.slice(1) : this.#next(queue, spelt));
        return;
      }
      this.#take(name, flag, spelt, alone);
      rest = rest.slice(1);
    }
  }

  flags(): Flags {
    const values = Object.fromEntries(this.#values) as Flags["values"];
    return { values, given: (name) => this.#texts.has(name) };
  }

  #take(name: string, flag: Flag, spelt: string, text: string): void {
    const before = this.#texts.get(name);
    this.#texts.set(name, [...(before ?? []), text]);
    const read = readValue(flag, text, spelt);
    // The first value given replaces the default; lists grow from there, single values are replaced.
    const list = Array.isArray(read) && before ? (this.#values.get(name) as string[]) : [];
    this.#values.set(name, Array.isArray(read) ? [...list, ...read] : read);
    if (flag.deprecated !== undefined && !before)
      this.warnings.push(`flag ${spelt} is deprecated: ${flag.deprecated}`);
  }

  #next(queue: string[], spelt: string): string {
    const value = queue.shift();
    if (value === undefined) throw this.#wrong(`flag ${spelt} needs a value`);
    return value;
  }

  #unknown(name: string): KilnError {
    const known = Object.entries(this.#set)
      .filter(([, flag]) => !flag.hidden)
      .map(([candidate]) => candidate);
    const near = closest(name, known);
    return this.#wrong(
      `unknown flag: --${name}`,
      near === undefined ? undefined : `Did you mean --${near}?`,
    );
  }

  #unknownShort(letter: string, word: string): KilnError {
    const doubled = word.slice(1).split("=")[0] ?? "";
    const meant =
      doubled.length > 1 && Object.hasOwn(this.#set, doubled)
        ? `Did you mean --${doubled}?`
        : undefined;
    return this.#wrong(`unknown shorthand flag: '${letter}' in ${word}`, meant);
  }

  #wrong(message: string, hint = `Run '${this.#command} --help' for usage.`): KilnError {
    return new KilnError("FLAG_INVALID", message, { hint });
  }
}

function aloneValue(flag: Flag): string | undefined {
  return flag.alone ?? (flag.type === "bool" ? "true" : undefined);
}

const zeros: Readonly<Record<Flag["type"], unknown>> = {
  bool: false,
  string: "",
  int: 0,
  bytes: 0,
  duration: 0,
  stringArray: [],
  stringSlice: [],
};

function initialValue(name: string, flag: Flag): unknown {
  return flag.default === undefined ? zeros[flag.type] : readValue(flag, flag.default, `--${name}`);
}

function readValue(flag: Flag, text: string, spelt: string): unknown {
  switch (flag.type) {
    case "string":
      return text;
    case "stringArray":
      return [text];
    case "stringSlice":
      return readCsv(text);
    case "bool":
      return required(parseBool(text), text, spelt, "must be true or false");
    case "int":
      return required(parseInteger(text), text, spelt, "must be a whole number");
    case "bytes":
      return required(parseSize(text), text, spelt, "must be a size such as 512m or 2g");
    case "duration":
      return required(parseDuration(text), text, spelt, "must be a duration such as 20s or 1h30m");
  }
}

function required<T>(value: T | undefined, text: string, spelt: string, must: string): T {
  if (value !== undefined) return value;
  throw new KilnError(
    "FLAG_INVALID",
    `invalid value ${JSON.stringify(text)} for ${spelt}: ${must}`,
  );
}
