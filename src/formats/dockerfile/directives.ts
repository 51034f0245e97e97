// Parser directives: the `# name=value` comments that may open a Dockerfile.
import { isSpace, trimSpace, trimStart } from "./text.ts";

/** The character that escapes and continues lines. */
export type EscapeToken = "\\" | "`";

export type DirectiveName = "syntax" | "escape" | "check";

/** A directive as it stands in the file. */
export interface Directive {
  readonly name: DirectiveName;
  readonly value: string;
  readonly line: number;
}

/** Reads directives line by line from the top; it is done at the first line that is none. */
export interface DirectiveReader {
  readonly escape: EscapeToken;
  /** True after the first line that cannot be a directive. */
  readonly done: boolean;
  /** The directive on this line, if it is one; a string says what is wrong with it. */
  read(line: string, number: number): Directive | string | undefined;
}

const names: ReadonlySet<string> = new Set<DirectiveName>(["syntax", "escape", "check"]);

/** A reader that expects `prefix` ("#" or "//") before each directive. */
export function createDirectiveReader(prefix = "#"): DirectiveReader {
  const seen = new Set<string>();
  let done = false;
  let token: EscapeToken = "\\";
  return {
    get escape() {
      return token;
    },
    get done() {
      return done;
    },
    read(line, number) {
      if (done) return undefined;
      const pair = splitDirective(line, prefix);
      const name = pair?.name.toLowerCase() ?? "";
      if (!pair || !names.has(name)) {
        done = true;
        return undefined;
      }
      if (seen.has(name)) return `only one ${name} parser directive can be used`;
      seen.add(name);
      if (name === "escape") {
        if (pair.value !== "\\" && pair.value !== "`") {
          return `invalid escape token '${pair.value}' does not match \` or \\`;
        }
        token = pair.value;
      }
      return { name: name as DirectiveName, value: pair.value, line: number };
    },
  };
}

/** `# name = value` into its parts; undefined when the line is anything else. */
export function splitDirective(
  line: string,
  prefix: string,
): { name: string; value: string } | undefined {
  if (!line.startsWith(prefix)) return undefined;
  const body = trimStart(line.slice(prefix.length));
  let end = 0;
  while (end < body.length && isNameChar(body.charCodeAt(end), end)) end++;
  if (end === 0) return undefined;
  let sign = end;
  while (sign < body.length && isSpace(body.charCodeAt(sign))) sign++;
  if (body[sign] !== "=") return undefined;
  const value = trimSpace(body.slice(sign + 1));
  return value === "" ? undefined : { name: body.slice(0, end), value };
}

function isNameChar(char: number, at: number): boolean {
  const letter = (char | 0x20) >= 0x61 && (char | 0x20) <= 0x7a;
  return letter || (at > 0 && char >= 0x30 && char <= 0x39);
}
