// The value of `# check=` and BUILDKIT_DOCKERFILE_CHECK: `skip=Rule,Rule;error=true;experimental=all`.
import { parseBool } from "../numbers.ts";
import { quote, trimSpace } from "../text.ts";
import type { LintOptions } from "./linter.ts";
import { noLintOptions } from "./linter.ts";

/** Reads check options, which may end with `// reason`; a string says what is wrong with them. */
export function parseLintOptions(text: string): LintOptions | string {
  let options = noLintOptions;
  const value = trimSpace(text.split("//", 1)[0] ?? "");
  if (value === "") return options;
  const [first = "", second, ...rest] = value.split(";");
  // Three options at most, the third to the end: as in the reference.
  const parts = [first, second, rest.length === 0 ? undefined : rest.join(";")];
  for (const part of parts) {
    if (part === undefined) continue;
    const sign = part.indexOf("=");
    const key = trimSpace(part.slice(0, Math.max(sign, 0)));
    const list = trimSpace(part.slice(sign + 1));
    if (sign === -1) return `invalid check option ${quote(part)}`;
    if (key === "skip") options = { ...options, skip: ruleNames(list) };
    else if (key === "experimental") options = { ...options, experimental: ruleNames(list) };
    else if (key !== "error") return `invalid check option ${quote(key)}`;
    else {
      const error = parseBool(list);
      if (error === undefined) return `failed to parse check option ${quote(part)}`;
      options = { ...options, error };
    }
  }
  return options;
}

/** Rule names of a list; "all" is every rule. */
export function ruleNames(list: string): readonly string[] | "all" {
  return list === "all" ? "all" : list.split(",").map(trimSpace);
}

/** What the comments above an instruction skip: `# check=skip=Rule // reason`; undefined where they skip nothing. */
export function skippedByComments(
  comments: readonly string[],
): readonly string[] | "all" | undefined {
  if (comments.length === 0) return undefined;
  const found = comments.flatMap((comment) => {
    const match = /^check\s*=\s*(.+)$/i.exec(comment);
    const options = match?.[1] === undefined ? noLintOptions : parseLintOptions(match[1]);
    // A comment that is no check option is a comment.
    return typeof options === "string" ? [] : [options.skip];
  });
  if (found.includes("all")) return "all";
  const names = found.flat();
  return names.length === 0 ? undefined : names;
}

/** True for a comment that speaks to the checks and not of the instruction. */
export function isCheckComment(comment: string): boolean {
  return /^check\s*=/i.test(comment);
}
