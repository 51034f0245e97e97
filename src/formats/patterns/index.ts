// Patterns over paths: .dockerignore lists, include and exclude filters, wildcards.
export { cleanPath } from "./clean-path.ts";
export { matchGlob } from "./glob.ts";
export { readIgnoreFile } from "./ignore-file.ts";
export { compilePatterns, type MatchState, type PatternMatcher } from "./matcher.ts";
export { createPathFilter, type PathFilter, type Verdict } from "./path-filter.ts";
