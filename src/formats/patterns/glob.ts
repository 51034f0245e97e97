// Wildcards of one pattern as a regular expression: Go's filepath.Match, with `**` where wanted.

/** Whether `name`, one component or a whole path, matches; `*` and `?` do not cross slashes. */
export function matchGlob(pattern: string, name: string): boolean {
  return globExpression(pattern, false).test(name);
}

/** The expression for a whole path; with `deep`, `**` matches any number of components. */
export function globExpression(pattern: string, deep: boolean): RegExp {
  let source = "^";
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] ?? "";
    if (char === "*" && deep && pattern[at + 1] === "*") {
      at++;
      if (pattern[at + 1] === "/") at++;
      source += at + 1 >= pattern.length ? ".*" : "(?:.*/)?";
    } else if (char === "*") source += "[^/]*";
    else if (char === "?") source += "[^/]";
    else if (char === "[") {
      const end = pattern.indexOf("]", at + 2);
      if (end === -1) return /(?!)/;
      source += pattern.slice(at, end + 1);
      at = end;
    } else if (char === "\\" && at + 1 < pattern.length) source += escape(pattern[++at] ?? "");
    else source += escape(char);
  }
  return new RegExp(`${source}$`, "su");
}

function escape(char: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(char) ? `\\${char}` : char;
}
