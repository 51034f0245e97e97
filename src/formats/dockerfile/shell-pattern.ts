// Wildcards of `${name#pattern}` and its kin: `?` is one character, `*` any number of them, neither is a line end.

/** How many steps one match may take (pattern length times value length). */
export const MAX_MATCH_STEPS = 10_000_000;

/** How many UTF-16 units a value may have after its matches are replaced. */
const MAX_REPLACED: number = 16 * 1024 * 1024;

/** A pattern's characters; wildcards are the two symbols. */
export type PatternToken = string | typeof anyOne | typeof anyMany;

const anyOne: unique symbol = Symbol("?");
const anyMany: unique symbol = Symbol("*");

/** The tokens of `pattern`, or what is wrong with it. */
export function compilePattern(pattern: string): readonly PatternToken[] | string {
  const chars = [...pattern];
  const tokens: PatternToken[] = [];
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] ?? "";
    if (char === "*") tokens.push(anyMany);
    else if (char === "?") tokens.push(anyOne);
    else if (char !== "\\") tokens.push(char);
    else {
      // "}" and "/" are escaped only because they would end the substitution.
      const next = chars[++at];
      if (next === undefined || !"*?\\}/".includes(next)) return `invalid escape '\\${next ?? ""}'`;
      tokens.push(next);
    }
  }
  return tokens;
}

/** `value` without the shortest or longest beginning that matches; undefined when that is too much work. */
export function trimPrefix(
  tokens: readonly PatternToken[],
  value: string,
  longest: boolean,
): string | undefined {
  const chars = [...value];
  const ends = matchEnds(tokens, chars, longest);
  const end = ends?.[0];
  if (end === undefined) return undefined;
  return end === -1 ? value : chars.slice(end).join("");
}

/** `value` without the shortest or longest end that matches; undefined when that is too much work. */
export function trimSuffix(
  tokens: readonly PatternToken[],
  value: string,
  longest: boolean,
): string | undefined {
  const chars = [...value].reverse();
  const end = matchEnds(tokens.toReversed(), chars, longest)?.[0];
  if (end === undefined) return undefined;
  return end === -1 ? value : chars.slice(end).reverse().join("");
}

/** `value` with the first or every longest match replaced; undefined when that is too much work. */
export function replaceMatches(
  tokens: readonly PatternToken[],
  value: string,
  { replacement, all }: { readonly replacement: string; readonly all: boolean },
): string | undefined {
  const chars = [...value];
  const ends = matchEnds(tokens, chars, true);
  if (!ends) return undefined;
  let out = "";
  let done = 0;
  for (let at = 0; at <= chars.length; ) {
    const end = ends[at] ?? -1;
    if (end === -1) {
      at++;
      continue;
    }
    out += chars.slice(done, at).join("");
    if (!all) return out + replacement + chars.slice(end).join("");
    // An empty match right after another match is none.
    if (end > done || at === 0) out += fillTemplate(replacement, chars.slice(at, end).join(""));
    if (out.length > MAX_REPLACED) return undefined;
    done = end;
    at = Math.max(at + 1, end);
  }
  return out + chars.slice(done).join("");
}

/**
 * For every start, where the match from there ends that a backtracking matcher would find first, or -1. Worked out from
 * the last token to the first with one row of results, so that no pattern can take more than tokens times characters.
 */
function matchEnds(
  tokens: readonly PatternToken[],
  chars: readonly string[],
  longest: boolean,
): Int32Array | undefined {
  const length = chars.length;
  if ((tokens.length + 1) * (length + 1) > MAX_MATCH_STEPS) return undefined;
  let row = Int32Array.from({ length: length + 1 }, (_, at) => at);
  for (const token of tokens.toReversed()) {
    const next = new Int32Array(length + 1).fill(-1);
    for (let at = length; at >= 0; at--) {
      const char = chars[at];
      const stay = row[at] ?? -1;
      if (token === anyMany) {
        const more = char !== undefined && char !== "\n" ? (next[at + 1] ?? -1) : -1;
        next[at] = longest ? (more === -1 ? stay : more) : stay === -1 ? more : stay;
      } else if (char !== undefined && (token === anyOne ? char !== "\n" : char === token)) {
        next[at] = row[at + 1] ?? -1;
      }
    }
    row = next;
  }
  return row;
}

/** The reference replaces with Go's templates, where `$0` is the match, other groups are empty and `$$` is `$`. */
function fillTemplate(template: string, match: string): string {
  if (!template.includes("$")) return template;
  return template.replace(/\$(?:\$|(\w+)|\{(\w+)\})/g, (whole, bare?: string, braced?: string) => {
    if (whole === "$$") return "$";
    return (bare ?? braced) === "0" ? match : "";
  });
}
