// Patterns of target names, as Go's path.Match reads them.

/** Whether the whole name matches: `*` and `?` are any characters, `[…]` is one of several. */
export function globMatches(pattern: string, name: string): boolean {
  let source = "";
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] ?? "";
    if (char === "*") source += "[^/]*";
    else if (char === "?") source += "[^/]";
    else if (char === "[" && pattern.includes("]", at + 2)) {
      const end = pattern.indexOf("]", at + 2);
      source += `[${pattern.slice(at + 1, end).replace(/[\\\]]/g, "\\$&")}]`;
      at = end;
    } else source += char.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  }
  // Several stars in a row are one: they would be tried in every combination.
  return new RegExp(`^${source.replace(/(\[\^\/\]\*)+/g, "[^/]*")}$`).test(name);
}
