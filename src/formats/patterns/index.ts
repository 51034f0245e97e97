// Patterns over paths: .dockerignore lists, include and exclude filters, wildcards.
export { matchGlob } from "./glob.ts";
export { compilePatterns, type PatternMatcher } from "./matcher.ts";
export { createPathFilter, type PathFilter, type Verdict } from "./path-filter.ts";
