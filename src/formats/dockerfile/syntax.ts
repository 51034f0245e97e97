// Which frontend a build file asks for, and which checks: directives as they are read before the file is parsed.
import { createDirectiveReader, type Directive, type DirectiveName } from "./directives.ts";
import { decodeText, trimSpace } from "./text.ts";

/** A `syntax` directive. */
export interface SyntaxDirective {
  /** The image, the first word of the value. */
  readonly reference: string;
  /** The whole value, which is handed to the frontend. */
  readonly commandLine: string;
  readonly line: number;
}

/**
 * The frontend that a build file asks for: `# syntax=`, `// syntax=`, or a JSON document with a "syntax" member. A
 * first line `#!...` is passed over. Undefined where nothing is asked for.
 */
export function detectSyntax(data: Uint8Array): SyntaxDirective | undefined {
  const text = decodeText(data);
  const found = findDirective(text, "syntax", "#") ?? findDirective(text, "syntax", "//");
  if (found) return toSyntax(found.value, found.line);
  const member = jsonMember(text);
  return member === undefined ? undefined : { reference: member, commandLine: member, line: 1 };
}

/** The value of `# check=` at the top of a Dockerfile. */
export function detectCheck(data: Uint8Array): Directive | undefined {
  return findDirective(decodeText(data), "check", "#");
}

function findDirective(text: string, name: DirectiveName, prefix: string): Directive | undefined {
  const reader = createDirectiveReader(prefix);
  const { body, skipped } = withoutShebang(text);
  const found: Directive[] = [];
  let number = skipped;
  for (let from = 0; from < body.length; ) {
    const newline = body.indexOf("\n", from);
    const line = body.slice(from, newline === -1 ? undefined : newline).replace(/\r$/, "");
    from = newline === -1 ? body.length : newline + 1;
    const directive = reader.read(line, ++number);
    // What stands before a broken directive counts.
    if (typeof directive === "string") break;
    if (directive) found.push(directive);
    else if (reader.done) break;
  }
  return found.find((directive) => directive.name === name);
}

function withoutShebang(text: string): { body: string; skipped: number } {
  if (!text.startsWith("#!")) return { body: text, skipped: 0 };
  const newline = text.indexOf("\n");
  return { body: newline === -1 ? "" : text.slice(newline + 1), skipped: 1 };
}

function toSyntax(value: string, line: number): SyntaxDirective {
  const commandLine = trimSpace(value);
  return { reference: commandLine.split(" ", 1)[0] ?? "", commandLine, line };
}

function jsonMember(text: string): string | undefined {
  const { body } = withoutShebang(text);
  if (!body.trimStart().startsWith("{")) return undefined;
  try {
    const document = JSON.parse(body) as { readonly syntax?: unknown };
    return typeof document.syntax === "string" ? document.syntax : undefined;
  } catch {
    return undefined;
  }
}
