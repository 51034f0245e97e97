// The text of a .dockerignore file as a list of patterns (moby/patternmatcher, ignorefile).
import { cleanPath } from "./clean-path.ts";

/** A line without the space around it: perhaps a `!` with more space, and the path. */
const form = /^(!?)\s*(.*)$/s;

/** Patterns in order; comments and empty lines are left out, leading slashes are dropped. */
export function readIgnoreFile(data: Uint8Array): readonly string[] {
  // A byte order mark is no part of the text.
  const lines = new TextDecoder().decode(data).split("\n");
  return lines.flatMap((line) => {
    const text = line.startsWith("#") ? "" : line.trim();
    const [, exception = "", path = ""] = form.exec(text) ?? [];
    return text === "" ? [] : [exception + insideContext(path)];
  });
}

/** The context is all there is: `/a` is `a`. */
function insideContext(path: string): string {
  return path === "" ? "" : cleanPath(path).replace(/^\/(?=.)/s, "");
}
