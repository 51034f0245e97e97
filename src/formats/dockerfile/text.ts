// Text as Go sees it: decoding with one replacement mark an invalid byte, and what counts as white space.
export { quoteGo as quote } from "../../base/index.ts";

const mark = "\ufffd";
const markBytes: Uint8Array = new TextEncoder().encode(mark);

/** UTF-8 to text; each invalid byte becomes one U+FFFD, as when Go walks a string. A byte order mark is dropped. */
export function decodeText(data: Uint8Array): string {
  const text = new TextDecoder("utf-8").decode(data);
  return text.includes(mark) ? decodeBytewise(data) : text;
}

function decodeBytewise(data: Uint8Array): string {
  const out = new Uint8Array(data.length * 3);
  let length = 0;
  for (let at = 0; at < data.length; ) {
    const size = sequenceLength(data, at);
    const unit = size === 0 ? markBytes : data.subarray(at, at + size);
    if (size === 1) out[length] = data[at] ?? 0;
    else out.set(unit, length);
    length += unit.length;
    at += Math.max(size, 1);
  }
  return new TextDecoder("utf-8").decode(out.subarray(0, length));
}

/** How many bytes the character at `at` has; 0 when the bytes there are not UTF-8 (Unicode 15, table 3-7). */
function sequenceLength(data: Uint8Array, at: number): number {
  const first = data[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  const second = data[at + 1] ?? 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (length === 0 || second < low || second > high) return 0;
  for (let i = 2; i < length; i++) if (((data[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}

/** Unicode white space, the set of Go's unicode.IsSpace: JavaScript's differs by U+0085 and U+FEFF. */
export function isSpace(char: number): boolean {
  if (char <= 0x20) return char === 0x20 || (char >= 0x09 && char <= 0x0d);
  if (char < 0x1680) return char === 0x85 || char === 0xa0;
  return (
    char === 0x1680 ||
    (char >= 0x2000 && char <= 0x200a) ||
    char === 0x2028 ||
    char === 0x2029 ||
    char === 0x202f ||
    char === 0x205f ||
    char === 0x3000
  );
}

/** Without leading white space. */
export function trimStart(text: string): string {
  let at = 0;
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  return at === 0 ? text : text.slice(at);
}

/** Without leading and trailing white space. */
export function trimSpace(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text.charCodeAt(end - 1))) end--;
  return trimStart(text.slice(0, end));
}

const otherBlanks = /[\t\v\f\r]| {2}/;

/** The parts of `text` between runs of tabs, blanks, carriage returns, form feeds and vertical tabs; at most `limit`. */
export function splitBlanks(text: string, limit: number = Number.POSITIVE_INFINITY): string[] {
  // Mostly there is one blank between two words.
  if (limit === Number.POSITIVE_INFINITY && !otherBlanks.test(text)) return text.split(" ");
  const parts: string[] = [];
  let from = 0;
  for (let at = 0; at < text.length && parts.length < limit - 1; at++) {
    if (!isBlank(text.charCodeAt(at))) continue;
    parts.push(text.slice(from, at));
    while (at + 1 < text.length && isBlank(text.charCodeAt(at + 1))) at++;
    from = at + 1;
  }
  parts.push(text.slice(from));
  return parts;
}

/** What separates words of an instruction: tabs, blanks, carriage returns, form feeds and vertical tabs. */
export function isBlank(char: number): boolean {
  return char === 0x20 || char === 0x09 || (char >= 0x0b && char <= 0x0d);
}

/** Order of Go's string comparison: by code point, which is by UTF-8 bytes. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // A surrogate stands for a code point above all other code units.
    const xs = x >= 0xd800 && x <= 0xdfff;
    const ys = y >= 0xd800 && y <= 0xdfff;
    return xs === ys ? x - y : xs ? 1 : -1;
  }
  return a.length - b.length;
}
