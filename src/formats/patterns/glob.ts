// Wildcards of one name: Go's filepath.Match, where `*` and `?` do not cross slashes.
import { type CharSet, setHas } from "./char-set.ts";

/** A wildcard, a set, or a character that stands for itself. */
type GlobToken =
  | { readonly any: "one" | "many" }
  | { readonly set: CharSet }
  | { readonly char: string };

let latest:
  | { readonly pattern: string; readonly tokens: readonly GlobToken[] | undefined }
  | undefined;

/** Whether `name`, one component or a whole path, matches. A malformed pattern matches nothing. */
export function matchGlob(pattern: string, name: string): boolean {
  // One pattern is asked of many names in a row.
  if (latest?.pattern !== pattern) latest = { pattern, tokens: parseGlob(pattern) };
  return latest.tokens !== undefined && matches(latest.tokens, [...name]);
}

/** Whether `pattern` has the syntax of filepath.Match: closed brackets that are not empty, nothing missing after `\`. */
export function isValidGlob(pattern: string): boolean {
  return parseGlob(pattern) !== undefined;
}

function parseGlob(pattern: string): readonly GlobToken[] | undefined {
  const chars = [...pattern];
  const tokens: GlobToken[] = [];
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] ?? "";
    if (char === "*") tokens.push({ any: "many" });
    else if (char === "?") tokens.push({ any: "one" });
    else if (char === "[") {
      const set = parseSet(chars, at + 1);
      if (!set) return undefined;
      tokens.push({ set: set.set });
      at = set.end;
    } else if (char === "\\") {
      const next = chars[++at];
      if (next === undefined) return undefined;
      tokens.push({ char: next });
    } else tokens.push({ char });
  }
  return tokens;
}

/** Reads from after `[` on; `end` is where `]` stands. */
function parseSet(
  chars: readonly string[],
  from: number,
): { set: CharSet; end: number } | undefined {
  let at = from;
  const negated = chars[at] === "^";
  if (negated) at++;
  const ranges: [number, number][] = [];
  while (chars[at] !== "]" || ranges.length === 0) {
    const low = setChar(chars, at);
    if (!low) return undefined;
    at = low.next;
    let to = low.code;
    if (chars[at] === "-") {
      const high = setChar(chars, at + 1);
      if (!high) return undefined;
      to = high.code;
      at = high.next;
    }
    ranges.push([low.code, to]);
    if (at >= chars.length) return undefined;
  }
  return { set: { negated, ranges }, end: at };
}

function setChar(
  chars: readonly string[],
  from: number,
): { code: number; next: number } | undefined {
  const escaped = chars[from] === "\\";
  const char = chars[escaped ? from + 1 : from];
  if (char === undefined || (!escaped && (char === "-" || char === "]"))) return undefined;
  return { code: char.codePointAt(0) ?? 0, next: from + (escaped ? 2 : 1) };
}

/** Greedy, going back only to the latest `*`: enough, since what came before it matched as early as it could. */
function matches(tokens: readonly GlobToken[], chars: readonly string[]): boolean {
  let token = 0;
  let at = 0;
  let star = -1;
  let starAt = 0;
  while (at < chars.length || token < tokens.length) {
    const current = tokens[token];
    const char = chars[at];
    if (current && "any" in current && current.any === "many") {
      star = ++token;
      starAt = at;
    } else if (current && char !== undefined && accepts(current, char)) {
      token++;
      at++;
    } else {
      const skipped = chars[starAt];
      if (star === -1 || skipped === undefined || skipped === "/") return false;
      token = star;
      at = ++starAt;
    }
  }
  return true;
}

function accepts(token: GlobToken, char: string): boolean {
  if ("char" in token) return token.char === char;
  return "set" in token ? setHas(token.set, char.codePointAt(0) ?? 0) : char !== "/";
}
