// Comparing paths with a pattern taken apart, in time that no pattern can blow up.
import { setHas, setSource } from "./char-set.ts";
import type { Piece } from "./pieces.ts";

/** A function that says whether a whole path matches. */
export function compilePieces(pieces: readonly Piece[]): (path: string) => boolean {
  const least = pieces.filter(
    (piece) => piece.type === "char" || (piece.type === "set" && !piece.repeated),
  ).length;
  if (mayBacktrack(pieces)) return (path) => path.length >= least && runPieces(pieces, path);
  const expression = new RegExp(`^${pieces.map(pieceSource).join("")}$`, "u");
  return (path) => expression.test(path);
}

/** More than this, and JavaScript's matcher could take longer than the square of a component's length. */
function mayBacktrack(pieces: readonly Piece[]): boolean {
  let wide = 0;
  let stars = 0;
  for (const piece of pieces) {
    if (piece.type === "directories" || piece.type === "anything") wide++;
    else if (piece.type === "char" && piece.char === "/") stars = 0;
    else if (piece.type === "set" && piece.repeated) {
      stars++;
      // A repeated set that holds the slash runs over the whole path.
      if (setHas(piece.set, 0x2f)) wide++;
    }
    if (wide > 1 || stars > 2) return true;
  }
  return false;
}

function pieceSource(piece: Piece): string {
  if (piece.type === "directories") return "(?:[^\\n]*/)?";
  if (piece.type === "anything") return "[^\\n]*";
  if (piece.type === "assertion") return piece.source;
  if (piece.type === "set") return setSource(piece.set) + (piece.repeated ? "*" : "");
  return `\\u{${(piece.char.codePointAt(0) ?? 0).toString(16)}}`;
}

/** All ways at once, character by character: pieces times characters, whatever the pattern. */
export function runPieces(pieces: readonly Piece[], path: string): boolean {
  const chars = [...path];
  // Two states a piece: before it, and inside a "directories" that has begun.
  let states = new Uint8Array((pieces.length + 1) * 2);
  states[0] = 1;
  for (const [at, char] of chars.entries()) {
    skipEmpty(pieces, states, chars, at);
    states = advance(pieces, states, char);
  }
  skipEmpty(pieces, states, chars, chars.length);
  return states[pieces.length * 2] === 1;
}

/** Marks what is reached without a character. */
function skipEmpty(
  pieces: readonly Piece[],
  states: Uint8Array,
  chars: readonly string[],
  at: number,
): void {
  for (const [index, piece] of pieces.entries()) {
    if (states[index * 2] !== 1) continue;
    const empty =
      piece.type === "directories" ||
      piece.type === "anything" ||
      (piece.type === "set" && piece.repeated) ||
      (piece.type === "assertion" && holds(piece.source, chars, at));
    if (empty) states[index * 2 + 2] = 1;
  }
}

function advance(
  pieces: readonly Piece[],
  states: Uint8Array,
  char: string,
): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(states.length);
  const code = char.codePointAt(0) ?? 0;
  for (const [index, piece] of pieces.entries()) {
    const before = states[index * 2] === 1;
    const inside = states[index * 2 + 1] === 1;
    if (piece.type === "directories" && (before || inside)) {
      if (char !== "\n") next[index * 2 + 1] = 1;
      if (char === "/") next[index * 2 + 2] = 1;
    }
    if (!before) continue;
    if (piece.type === "anything" && char !== "\n") next[index * 2] = 1;
    if (piece.type === "char" && piece.char === char) next[index * 2 + 2] = 1;
    if (piece.type === "set" && setHas(piece.set, code))
      next[index * 2 + (piece.repeated ? 0 : 2)] = 1;
  }
  return next;
}

function holds(assertion: string, chars: readonly string[], at: number): boolean {
  if (assertion === "^") return at === 0;
  if (assertion === "$") return at === chars.length;
  const boundary = isWord(chars[at - 1]) !== isWord(chars[at]);
  return boundary === (assertion === "\\b");
}

function isWord(char: string | undefined): boolean {
  return char !== undefined && /^\w$/.test(char);
}
