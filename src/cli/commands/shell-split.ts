// Words of a line as a shell would split them, without its expansions.

/** Undefined when a quote is not closed. */
export function splitWords(text: string): readonly string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? "";
    if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === "\\") {
      word = (word ?? "") + (text[++at] ?? "");
    } else if (char === "'" || char === '"') {
      const end = closing(text, at, char);
      if (end === undefined) return undefined;
      const inner = text.slice(at + 1, end);
      word = (word ?? "") + (char === '"' ? inner.replace(/\\(["\\$`])/g, "$1") : inner);
      at = end;
    } else {
      word = (word ?? "") + char;
    }
  }
  return word === undefined ? words : [...words, word];
}

function closing(text: string, start: number, quote: string): number | undefined {
  for (let at = start + 1; at < text.length; at++) {
    if (quote === '"' && text[at] === "\\") at++;
    else if (text[at] === quote) return at;
  }
  return undefined;
}
