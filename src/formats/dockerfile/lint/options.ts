// The value of `# check=` and BUILDKIT_DOCKERFILE_CHECK: `skip=Rule,Rule;error=true;experimental=all`.
import { parseBool } from "../numbers.ts";
import { quote, trimSpace } from "../text.ts";
import type { LintOptions } from "./linter.ts";
import { noLintOptions } from "./linter.ts";

/** Reads check options; a string says what is wrong with them. */
export function parseLintOptions(text: string): LintOptions | string {
  let options = noLintOptions;
  if (trimSpace(text) === "") return options;
  const [first = "", second, ...rest] = trimSpace(text).split(";");
  // Three options at most, the third to the end: as in the reference.
  const parts = [first, second, rest.length === 0 ? undefined : rest.join(";")];
  for (const part of parts) {
    if (part === undefined) continue;
    const sign = part.indexOf("=");
    const key = trimSpace(part.slice(0, Math.max(sign, 0)));
    const value = trimSpace(part.slice(sign + 1));
    if (sign === -1) return `invalid check option ${quote(part)}`;
    if (key === "skip") options = { ...options, skip: ruleNames(value) };
    else if (key === "experimental") options = { ...options, experimental: ruleNames(value) };
    else if (key !== "error") return `invalid check option ${quote(key)}`;
    else {
      const error = parseBool(value);
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
