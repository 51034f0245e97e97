// Quotes, escapes and variables in a word, as a shell reads them (POSIX Shell Command Language, 2.2 and 2.6.2).
import type { EscapeToken } from "./directives.ts";
import { ExpansionError } from "./expansion-error.ts";
import { modify, replace, shortened, unsupported } from "./shell-modifiers.ts";
import { quote } from "./text.ts";
import { WordList } from "./word-list.ts";

export { ExpansionError };

/** How deep `${a:-${b:-...}}` may go: deeper ones are refused instead of exhausting the stack. */
export const MAX_NESTING = 500;

/** How many UTF-16 units the values in one word may have together. */
export const MAX_VALUES: number = 16 * 1024 * 1024;

/** The value of a variable; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

/** What a lexer leaves as it is. */
export interface LexerOptions {
  readonly escape: EscapeToken;
  /** Quotes stay in the result; they still keep blanks together. */
  readonly rawQuotes?: boolean;
  /** Escape characters stay in the result. */
  readonly rawEscapes?: boolean;
  /** Quotes are characters like others. */
  readonly skipProcessQuotes?: boolean;
  /** References to variables that are not set stay as they are. */
  readonly skipUnset?: boolean;
}

/** What became of a word. */
export interface Replacement {
  readonly word: string;
  /** Variables that were looked up and set. */
  readonly matched: ReadonlySet<string>;
  /** Variables that were looked up and not set. */
  readonly unmatched: ReadonlySet<string>;
}

/** What became of a word that may be several. */
export interface Expansion extends Replacement {
  /** `word` split at blanks that are not quoted; values of variables are split too. */
  readonly words: readonly string[];
}

/** Expands words. Its methods throw an `ExpansionError` for an unclosed quote or brace and for a bad substitution. */
export interface Lexer {
  expand(word: string, lookup: Lookup): Expansion;
  /** As `expand`, where nobody asks for the words. */
  replace(word: string, lookup: Lookup): Replacement;
  word(word: string, lookup: Lookup): string;
  words(word: string, lookup: Lookup): readonly string[];
}

export function createLexer(options: LexerOptions): Lexer {
  const replace = (word: string, lookup: Lookup, list?: WordList): Replacement => {
    if (list === undefined && isPlain(word)) return { word, matched: none, unmatched: none };
    const run = new WordRun(word, options, lookup, list);
    try {
      const value = run.run();
      return { word: value, matched: run.matched, unmatched: run.unmatched };
    } catch (error) {
      if (!(error instanceof ExpansionError)) throw error;
      const message = `failed to process ${quote(shortened(word))}: ${error.message}`;
      throw new ExpansionError(message, run.unmatched, word);
    }
  };
  const expand = (word: string, lookup: Lookup): Expansion => {
    if (!special.test(word)) {
      return { word, words: word === "" ? [] : [word], matched: none, unmatched: none };
    }
    const list = new WordList();
    const { word: value, matched, unmatched } = replace(word, lookup, list);
    return { word: value, words: list.finish(), matched, unmatched };
  };
  return {
    expand,
    replace,
    word: (word, lookup) => replace(word, lookup).word,
    words: (word, lookup) => expand(word, lookup).words,
  };
}

/** True when the lexer leaves the word as it is, whatever the variables are. */
export function isPlain(word: string): boolean {
  return !changing.test(word);
}

/** Anything that the lexer could change, and that or where it could split; most words have none of it. */
const changing = /[$'"\\`\ufeff]/;
const special = /[$'"\\`\s\u0085\ufeff]/;
const none: ReadonlySet<string> = new Set();

/** One pass over one word. */
class WordRun {
  #matched: Set<string> | undefined;
  #unmatched: Set<string> | undefined;
  readonly #text: string;
  readonly #options: LexerOptions;
  readonly #lookup: Lookup;
  #at: number;
  #depth = 0;
  #size = 0;
  /** Gathers the words, where they are asked for. */
  readonly #list: WordList | undefined;

  constructor(text: string, options: LexerOptions, lookup: Lookup, list: WordList | undefined) {
    this.#list = list;
    this.#text = text;
    this.#options = options;
    this.#lookup = lookup;
    // The reference's scanner drops a byte order mark.
    this.#at = text.startsWith("\ufeff") ? 1 : 0;
  }

  get matched(): ReadonlySet<string> {
    return this.#matched ?? none;
  }

  get unmatched(): ReadonlySet<string> {
    return this.#unmatched ?? none;
  }

  /** The whole word. */
  run(): string {
    return this.#segment(undefined, this.#options.rawEscapes === true);
  }

  /** Reads on until after `stop`, or to the end of the word. */
  #segment(stop: string | undefined, rawEscapes: boolean): string {
    const isOutermost = stop === undefined;
    // The reference builds the words of all levels in one buffer: what came before `${a:-b}` in a word is lost to `words`.
    if (!isOutermost) this.#list?.drop();
    let word = "";
    while (this.#at < this.#text.length) {
      const from = this.#at;
      this.#skipPlain(stop);
      const char = this.#text[this.#at] ?? "";
      const isPlain = this.#at > from;
      if (!isPlain && char === stop) {
        this.#at++;
        return word;
      }
      const part = isPlain ? this.#text.slice(from, this.#at) : this.#special(char, rawEscapes);
      if (isOutermost && isPlain) this.#list?.addWritten(part);
      else if (isOutermost && char === "$") this.#list?.add(part);
      else if (isOutermost) this.#list?.addQuoted(part);
      word += part;
    }
    if (isOutermost) return word;
    throw new ExpansionError(`unexpected end of statement while looking for matching ${stop}`);
  }

  #skipPlain(stop: string | undefined): void {
    const { escape: token, skipProcessQuotes } = this.#options;
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at];
      if (char === "$" || char === token || char === stop) return;
      if (skipProcessQuotes !== true && (char === "'" || char === '"')) return;
      this.#at++;
    }
  }

  #special(char: string, rawEscapes: boolean): string {
    if (char === "$") return this.#dollar();
    if (char === this.#options.escape) return this.#escape(rawEscapes);
    return char === "'" ? this.#singleQuote() : this.#doubleQuote(rawEscapes);
  }

  /** The escape character and what it escapes; alone at the end of the word it is dropped. */
  #escape(rawEscapes: boolean): string {
    const kept = rawEscapes ? this.#options.escape : "";
    this.#at++;
    return kept + this.#next();
  }

  #next(): string {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) return "";
    const char = String.fromCodePoint(code);
    this.#at += char.length;
    return char;
  }

  #singleQuote(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end === -1) {
      throw new ExpansionError(
        "unexpected end of statement while looking for matching single-quote",
      );
    }
    const raw = this.#options.rawQuotes === true;
    const value = raw ? this.#text.slice(this.#at, end + 1) : this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return value;
  }

  #doubleQuote(rawEscapes: boolean): string {
    const { escape: token, rawQuotes } = this.#options;
    const mark = rawQuotes === true ? '"' : "";
    let value = mark;
    this.#at++;
    while (this.#at < this.#text.length) {
      const from = this.#at;
      const char = this.#text[from];
      if (char === '"') {
        this.#at++;
        return value + mark;
      }
      if (char === "$") {
        value += this.#dollar();
      } else if (char === token) {
        value += this.#quotedEscape(rawEscapes);
      } else {
        while (this.#at < this.#text.length && !isQuotedSpecial(this.#text[this.#at], token))
          this.#at++;
        value += this.#text.slice(from, this.#at);
      }
    }
    throw new ExpansionError("unexpected end of statement while looking for matching double-quote");
  }

  /** Between double quotes only `"`, `$` and the escape character can be escaped; before others it is itself. */
  #quotedEscape(rawEscapes: boolean): string {
    const { escape: token } = this.#options;
    const kept = rawEscapes ? token : "";
    const after = this.#text[++this.#at];
    if (after === undefined) return kept;
    if (after !== '"' && after !== "$" && after !== token) return kept + token;
    this.#at++;
    return kept + after;
  }

  #dollar(): string {
    this.#at++;
    if (this.#text[this.#at] === "{") {
      if (++this.#depth > MAX_NESTING) {
        throw new ExpansionError(`substitutions are nested more than ${MAX_NESTING} deep`);
      }
      const value = this.#braces();
      this.#depth--;
      return value;
    }
    const name = this.#name();
    if (name === "") return "$";
    const value = this.#value(name);
    return value ?? (this.#options.skipUnset === true ? `$${name}` : "");
  }

  /** `${name}` and its forms with a modifier. */
  #braces(): string {
    const first = this.#text[++this.#at];
    if (first === undefined) throw new ExpansionError("syntax error: missing '}'");
    if (first === "{" || first === "}" || first === ":") {
      throw new ExpansionError("syntax error: bad substitution");
    }
    const name = this.#name();
    const sign = this.#next();
    if (sign === "}") {
      const value = this.#value(name);
      return value ?? (this.#options.skipUnset === true ? `\${${name}}` : "");
    }
    if (sign === "/") return this.#replace(name);
    const colon = sign === ":";
    const modifier = colon ? this.#next() : sign;
    if (!colon && !"+-?#%".includes(modifier)) throw unsupported(sign);
    if (modifier === "") throw new ExpansionError("syntax error: missing '}'");
    const pattern = modifier === "#" || modifier === "%";
    if (colon && pattern) throw unsupported(sign + modifier);
    // Patterns keep their escapes, which say what is not a wildcard.
    const word = this.#until("}", pattern, "syntax error: missing '}'");
    const value = this.#value(name);
    if (value === undefined && this.#options.skipUnset === true) {
      return `\${${name}${colon ? ":" : ""}${modifier}${word}}`;
    }
    return modify(name, value, { modifier, colon, word });
  }

  /** `${name/pattern/replacement}` and `${name//pattern/replacement}`. */
  #replace(name: string): string {
    const all = this.#text[this.#at] === "/";
    if (all) this.#at++;
    const pattern = this.#until("/", true, "syntax error: missing '/' in $" + "{}");
    const replacement = this.#until("}", true, "syntax error: missing '}'");
    const value = this.#value(name);
    if (value === undefined && this.#options.skipUnset === true) {
      return `\${${name}/${pattern}/${replacement}}`;
    }
    return replace(value ?? "", { pattern, replacement, all });
  }

  #until(stop: string, rawEscapes: boolean, missing: string): string {
    try {
      return this.#segment(stop, rawEscapes);
    } catch (error) {
      if (error instanceof ExpansionError && this.#at >= this.#text.length)
        throw new ExpansionError(missing);
      throw error;
    }
  }

  /** Letters, digits and underscores; or digits alone; or one of the shell's special parameters. */
  #name(): string {
    namePattern.lastIndex = this.#at;
    if (!namePattern.test(this.#text)) return "";
    const start = this.#at;
    this.#at = namePattern.lastIndex;
    return this.#text.slice(start, this.#at);
  }

  #value(name: string): string | undefined {
    const value = this.#lookup(name);
    if (value === undefined) {
      this.#unmatched ??= new Set();
      this.#unmatched.add(name);
    } else {
      this.#matched ??= new Set();
      this.#matched.add(name);
    }
    this.#size += value?.length ?? 0;
    if (this.#size <= MAX_VALUES) return value;
    throw new ExpansionError(`the variables in a word have more than ${MAX_VALUES} characters`);
  }
}

const namePattern = /\p{Nd}+|[@*#?\-$!]|[\p{L}_][\p{L}\p{Nd}_]*/uy;

function isQuotedSpecial(char: string | undefined, token: EscapeToken): boolean {
  return char === '"' || char === "$" || char === token;
}
