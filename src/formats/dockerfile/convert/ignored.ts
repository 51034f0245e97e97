// A word about sources that .dockerignore keeps from being sent.
import { compilePatterns, type PatternMatcher } from "../../patterns/index.ts";
import { copyIgnoredFile } from "../lint/copy-ignored-file.ts";
import type { CopyPlan } from "./copy-steps.ts";
import { cleanPath } from "./paths.ts";

const compiled = new WeakMap<readonly string[], PatternMatcher>();

/** Warns where the whole source is excluded. Lists that take files back with "!" are too hard to tell. */
export function checkIgnored({ instruction, env }: CopyPlan, source: string): void {
  const patterns = env.options.context?.ignorePatterns ?? [];
  if (patterns.length === 0 || patterns.some((pattern) => pattern.startsWith("!"))) return;
  const path = cleanPath(source);
  const wholeContext = path === "." || path === "/";
  if (wholeContext && !patterns.some((pattern) => ["*", "**", "**/*"].includes(pattern))) return;
  let matcher = compiled.get(patterns);
  if (matcher === undefined) {
    matcher = compilePatterns(patterns);
    compiled.set(patterns, matcher);
  }
  if (!matcher.matchesOrParent(path)) return;
  env.linter.warn(
    copyIgnoredFile,
    instruction.lines,
    instruction.kind === "add" ? "Add" : "Copy",
    path,
  );
}
