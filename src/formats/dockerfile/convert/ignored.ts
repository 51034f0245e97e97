// A word about sources that .dockerignore keeps from being sent.
import { posix } from "node:path";
import { compilePatterns, type PatternMatcher } from "../../patterns/index.ts";
import { copyIgnoredFile } from "../lint/copy-ignored-file.ts";
import type { CopyPlan } from "./copy-steps.ts";

const compiled = new WeakMap<readonly string[], PatternMatcher>();

/** Warns where the whole source is excluded. Lists that take files back with "!" are too hard to tell. */
export function checkIgnored({ instruction, env }: CopyPlan, source: string): void {
  const patterns = env.options.context?.ignorePatterns ?? [];
  if (patterns.length === 0 || patterns.some((pattern) => pattern.startsWith("!"))) return;
  const path = posix.normalize(source).replace(/(.)\/+$/, "$1");
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
