// Text in double quotes as Go prints it, for messages that are worded as the reference's.

const shortEscapes: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};

/** In double quotes, with Go's escapes (strconv.Quote, `%q`). */
export function quoteGo(text: string): string {
  const inner = text.replace(
    /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]|["\\]/gu,
    (char) => shortEscapes[char] ?? numericEscape(char),
  );
  return `"${inner}"`;
}

function numericEscape(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  if (code < 0x80) return `\\x${hex.padStart(2, "0")}`;
  return code > 0xffff ? `\\U${hex.padStart(8, "0")}` : `\\u${hex.padStart(4, "0")}`;
}
