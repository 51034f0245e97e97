// Replacing variables in words, with a word about those that nothing defines.
import type { EscapeToken } from "../directives.ts";
import {
  createLexer,
  type Expansion,
  ExpansionError,
  type LexerOptions,
  type Replacement,
} from "../shell-words.ts";
import type { Variables } from "./env.ts";

export type ExpandOptions = Omit<LexerOptions, "escape">;

/** Expands words of one file; lexers are made once for each way of reading. */
export interface Expander {
  expand(word: string, variables: Variables, options?: ExpandOptions): Replacement;
  /** As `expand`, with the words that the word is after it. */
  split(word: string, variables: Variables): Expansion;
  /** For the content of inline files: quotes are characters, and the escape character is always a backslash. */
  expandContent(content: string, variables: Variables): Replacement;
}

/** Longest word after expansion, in UTF-16 units: as long as a Dockerfile may be. */
export const MAX_EXPANDED: number = 16 * 1024 * 1024;

export function createExpander(token: EscapeToken): Expander {
  const usual = { escape: token };
  const plain = createLexer(usual);
  const names = createLexer({ ...usual, rawQuotes: true, skipUnset: true });
  const contents = createLexer({ escape: "\\", skipProcessQuotes: true });
  return {
    expand: (word, variables, options) => {
      if (options === undefined) return bounded(plain.replace(word, lookupIn(variables)));
      const lexer =
        options.rawQuotes && options.skipUnset ? names : createLexer({ ...usual, ...options });
      return bounded(lexer.replace(word, lookupIn(variables)));
    },
    split: (word, variables) => bounded(plain.expand(word, lookupIn(variables))),
    expandContent: (content, variables) => bounded(contents.replace(content, lookupIn(variables))),
  };
}

/** Variables made of variables grow fast: a few lines could fill the memory. */
function bounded<Kind extends Replacement>(expansion: Kind): Kind {
  if (expansion.word.length <= MAX_EXPANDED) return expansion;
  throw new ExpansionError(
    `a word has more than ${MAX_EXPANDED} characters once its variables are replaced`,
  );
}

function lookupIn(variables: Variables): (name: string) => string | undefined {
  return (name) => variables.get(name);
}
