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
  if (names.length !== 1 || written.length !== 1 || name === undefined) return undefined;
  // A name that quoting changes was quoted: then its content is taken as it is.
  const expand = written[0] === name;
  return { name, fileDescriptor: Number(word.slice(0, at)), expand, chomp };
}

/**
 * The heredocs that a line starts, in order. After `<<` the name may be the next word (BuildKit 0.22), though not after
 * `<<-`. A line that is no list of words, such as one with a broken quote, starts none.
 */
export function heredocsOf(line: string): readonly HeredocStart[] {
  const found: HeredocStart[] = [];
  const words = wordsOf(line);
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    const isAlone = aloneSign.test(word) && at + 1 < words.length;
    const start = parseHeredoc(isAlone ? `${word} ${words[++at]}` : word);
    if (start !== undefined) found.push(start);
  }
  return found;
}

const aloneSign = /^[0-9]*<<$/;

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

function isDigit(char: number): boolean {
  return char >= 0x30 && char <= 0x39;
}
