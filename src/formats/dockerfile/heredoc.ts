// Heredocs: inline files whose end is a line with their name.
import type { Heredoc } from "./ast.ts";
import { createLexer } from "./shell-words.ts";

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

/** The heredocs that a line starts, in order. Throws on a broken quote. */
export function heredocsOf(line: string): readonly HeredocStart[] {
  return raw.words(line, noVariables).flatMap((word) => parseHeredoc(word) ?? []);
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
