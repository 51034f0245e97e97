// Heredocs: inline files whose end is a line with their name.
import type { Heredoc } from "./ast.ts";
import { createLexer, ExpansionError } from "./shell-words.ts";

/** What the word `<<NAME` says of the file that follows. */
export type HeredocStart = Omit<Heredoc, "content">;

const plain = createLexer({ escape: "\\", skipUnset: true });
const raw = createLexer({ escape: "\\", skipUnset: true, rawQuotes: true, rawEscapes: true });

/** Reads a word such as `<<EOF`, `<<-EOF`, `3<<"EOF"`; undefined when it starts no heredoc. Throws on a broken quote. */
export function parseHeredoc(word: string): HeredocStart | undefined {
  let at = 0;
  while (at < word.length && isDigit(word.charCodeAt(at))) at++;
  if (!word.startsWith("<<", at)) return undefined;
  const chomp = word[at + 2] === "-";
  const rest = word.slice(at + (chomp ? 3 : 2));
  if (rest === "" || rest.includes("<")) return undefined;
  const names = plain.words(rest, noVariables);
  const written = raw.words(rest, noVariables);
  const [name] = names;
  const [quoted] = written;
  if (name === undefined || quoted === undefined || names.length + written.length !== 2)
    return undefined;
  // A name that lost quotes was quoted: then its content is taken as it is. BuildKit: a backslash does not count.
  const expand = countQuotes(quoted) === countQuotes(name);
  return { name, fileDescriptor: Number(word.slice(0, at)), expand, chomp };
}

/**
 * The heredocs that a line starts, in order: a name may have blanks before it (BuildKit 0.22), though not after `<<-`. A
 * line that is no list of words, such as one with a broken quote, starts none.
 */
export function heredocsOf(line: string): readonly HeredocStart[] {
  return wordsOf(line).flatMap((word) => parseHeredoc(word) ?? []);
}

function wordsOf(line: string): readonly string[] {
  try {
    return raw.words(line, noVariables);
  } catch (error) {
    if (error instanceof ExpansionError) return [];
    throw error;
  }
}

/** `content` without the tabs that begin each line. */
export function chompHeredoc(content: string): string {
  return content.replace(/^\t+/gm, "");
}

function noVariables(): undefined {
  return undefined;
}

function countQuotes(text: string): number {
  return text.replace(/[^'"]/g, "").length;
}

function isDigit(char: number): boolean {
  return char >= 0x30 && char <= 0x39;
}
