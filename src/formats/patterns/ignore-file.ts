// The text of a .dockerignore file as a list of patterns (moby/patternmatcher, ignorefile).
import { cleanPath } from "./clean-path.ts";

/** Patterns in order; comments and empty lines are left out, leading slashes are dropped. */
export function readIgnoreFile(data: Uint8Array): readonly string[] {
  const patterns: string[] = [];
  for (const line of new TextDecoder().decode(data).split("\n")) {
    if (line.startsWith("#")) continue;
    const trimmed = line.trim();
    if (trimmed === "") continue;
    const exception = trimmed.startsWith("!");
    const pattern = exception ? trimmed.slice(1).trim() : trimmed;
    patterns.push((exception ? "!" : "") + relative(pattern));
  }
  return patterns;
}

function relative(pattern: string): string {
  if (pattern === "") return "";
  const cleaned = cleanPath(pattern);
  return cleaned.length > 1 && cleaned.startsWith("/") ? cleaned.slice(1) : cleaned;
}
