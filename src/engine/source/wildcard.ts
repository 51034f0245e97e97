// The wildcards of COPY, ADD and followed paths: Go's path/filepath.Match.

/** True when a path component has wildcard characters. */
export function hasWildcard(text: string): boolean {
  return /[*?[\\]/.test(text);
}

/** What one character of a path must be; "star" is any number of characters. None of the wildcards matches `/`. */
type Token = "star" | ((char: string) => boolean);

/**
 * A test for whole paths: `*` and `?` do not match `/`, `[a-z]` and `[^a-z]` are classes, `\` takes the next character
 * as it is. A malformed pattern (an open class, a `\` at the end) matches nothing.
 */
export function compileWildcard(pattern: string): (path: string) => boolean {
  const chars = [...pattern];
  const tokens: Token[] = [];
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i] ?? "";
    if (char === "*") {
      if (tokens.at(-1) !== "star") tokens.push("star");
    } else if (char === "?") tokens.push((found) => found !== "/");
    else if (char === "[") {
      const found = readClass(chars, i);
      if (!found) return () => false;
      tokens.push(found.token);
      i = found.last;
    } else if (char === "\\") {
      const escaped = chars[++i];
      if (escaped === undefined) return () => false;
      tokens.push((found) => found === escaped);
    } else tokens.push((found) => found === char);
  }
  return (path) => matchTokens(tokens, [...path]);
}

/** Only the last star is ever tried again, so the time is bounded by the product of both lengths. */
function matchTokens(tokens: readonly Token[], path: readonly string[]): boolean {
  let token = 0;
  let at = 0;
  let star = -1;
  let starAt = 0;
  while (at < path.length) {
    const wanted = tokens[token];
    const char = path[at] ?? "";
    if (wanted === "star") {
      star = token++;
      starAt = at;
    } else if (wanted?.(char)) {
      token++;
      at++;
    } else if (star !== -1 && path[starAt] !== "/") {
      token = star + 1;
      at = ++starAt;
    } else return false;
  }
  while (tokens[token] === "star") token++;
  return token === tokens.length;
}

function readClass(
  chars: readonly string[],
  start: number,
): { token: Token; last: number } | undefined {
  const negated = chars[start + 1] === "^";
  const ranges: (readonly [string, string])[] = [];
  let at = start + (negated ? 2 : 1);
  while (chars[at] !== "]" || ranges.length === 0) {
    const from = readMember(chars, at);
    if (!from) return undefined;
    at = from.next;
    let to: Member | undefined = from;
    if (chars[at] === "-") {
      to = readMember(chars, at + 1);
      if (!to) return undefined;
      at = to.next;
    }
    ranges.push([from.char, to.char]);
  }
  const token = (char: string) =>
    char !== "/" && ranges.some(([from, to]) => isBetween(char, from, to)) !== negated;
  return { token, last: at };
}

interface Member {
  readonly char: string;
  readonly next: number;
}

/** One character of a class; `-` and `]` must be escaped to be members. */
function readMember(chars: readonly string[], at: number): Member | undefined {
  const char = chars[at];
  if (char === undefined || char === "-" || char === "]") return undefined;
  if (char !== "\\") return { char, next: at + 1 };
  const escaped = chars[at + 1];
  return escaped === undefined ? undefined : { char: escaped, next: at + 2 };
}

function isBetween(char: string, from: string, to: string): boolean {
  const code = char.codePointAt(0) ?? 0;
  return (from.codePointAt(0) ?? 0) <= code && code <= (to.codePointAt(0) ?? 0);
}
