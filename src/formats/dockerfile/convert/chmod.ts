// Permissions as `--chmod` writes them.
import { dockerfileError } from "./problem.ts";

// chmod(1): who, then one or more of operator and permissions; several separated by commas.
const clause = "[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+";
const symbolic = new RegExp(`^${clause}(?:,${clause})*$`);

/** Octal digits as bits; symbolic words as they are, once checked. */
export function parseMode(words: string): number | string {
  if (/^[0-7]+$/.test(words)) {
    const mode = Number.parseInt(words, 8);
    if (mode <= 0o7777) return mode;
  } else if (symbolic.test(words)) return words;
  throw dockerfileError(
    `invalid chmod parameter: '${words}'. it should be octal string and between 0 and 07777`,
    "Write octal digits such as 0755, or symbolic words such as u=rwX,go=rX.",
  );
}
