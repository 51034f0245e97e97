// Filters as containerd writes them (its package filters), which BuildKit's clients send: conditions joined by commas.
import { KilnError } from "../../base/index.ts";

/** `id`, `type==regular`, `labels."a.b"!=c` or `description~=/^local/`. */
export interface Condition {
  /** Names, from the outermost on. */
  readonly field: readonly string[];
  /** "present" where nothing is compared. */
  readonly operator: "present" | "==" | "!=" | "~=";
  readonly value: string;
}

const quoted = String.raw`"(?:[^"\\]|\\.)*"`;
const name = String.raw`(?:${quoted}|[A-Za-z_][\w/-]*)`;
const names = new RegExp(name, "g");
const condition = new RegExp(
  String.raw`\s*(${name}(?:\.${name})*)\s*(?:(==|!=|=)\s*(${quoted}|[^\s,"]*)|~=\s*(${quoted}|/(?:[^/\\]|\\.)*/|\|(?:[^|\\]|\\.)*\||[^\s,"]*))?\s*(,|$)`,
  "y",
);

/** All of them have to hold; none is no condition. A single `=` is `==`. Throws `FLAG_INVALID`. */
export function parseConditions(text: string): readonly Condition[] {
  const found: Condition[] = [];
  const reader = new RegExp(condition);
  for (let more = text.trim() !== ""; more; ) {
    const at = reader.lastIndex;
    const match = reader.exec(text);
    if (!match)
      throw new KilnError("FLAG_INVALID", `${JSON.stringify(text)} is not a filter`, {
        hint: `What follows character ${at} is no condition such as type==regular; put values with commas or blanks in double quotes.`,
      });
    const [, field = "", compared, value = "", pattern, end] = match;
    found.push({
      field: (field.match(names) ?? []).map((part) => plain(part, /^"/)),
      operator:
        pattern !== undefined ? "~=" : compared === undefined ? "present" : operatorOf(compared),
      value: pattern === undefined ? plain(value, /^"/) : plain(pattern, /^["/|]/),
    });
    more = end === ",";
  }
  return found;
}

function operatorOf(text: string): "==" | "!=" {
  return text === "!=" ? "!=" : "==";
}

/** Without quotes, of which `/` and `|` leave escapes to the pattern. */
function plain(text: string, quote: RegExp): string {
  if (text.length < 2 || !quote.test(text)) return text;
  const inner = text.slice(1, -1);
  return text.startsWith('"') ? inner.replace(/\\(.)/g, "$1") : inner.replace(/\\([/|])/g, "$1");
}
