// A configuration file's text, and where in it a mistake is.
import { closest, KilnError } from "../../base/index.ts";

export interface ConfigText {
  /** Absolute path. */
  readonly file: string;
  readonly text: string;
}

/** `CONFIG_INVALID` that points at a line, counted from 1; undefined when it is not known. */
export function configInvalid(
  { file, text }: ConfigText,
  line: number | undefined,
  why: string,
  column?: number,
): KilnError {
  const at =
    line === undefined
      ? undefined
      : { file, line, text, ...(column === undefined ? {} : { column }) };
  return new KilnError(
    "CONFIG_INVALID",
    `${file}${line === undefined ? "" : `:${line}`}: ${why}`,
    at ? { at } : {},
  );
}

/**
 * The line of `key` in the table of a registry's host, or at top level. TOML can write the same in several ways; where
 * the usual ones are not found, the table's line, else undefined.
 */
export function lineOfKey(text: string, host: string | undefined, key: string): number | undefined {
  const lines = text.split("\n");
  const isHeader = (line: string) => /^\s*\[/.test(line);
  const start =
    host === undefined
      ? 0
      : lines.findIndex(
          (line) => isHeader(line) && line.includes("registry") && line.includes(host),
        );
  if (start === -1) return undefined;
  const first = host === undefined ? 0 : start + 1;
  for (let i = first; i < lines.length; i++) {
    const line = lines[i] ?? "";
    if (namesKey(line, key)) return i + 1;
    if (host !== undefined && isHeader(line) && !line.includes(host)) break;
  }
  return host === undefined ? undefined : start + 1;
}

function namesKey(line: string, key: string): boolean {
  const match =
    /^\s*\[*\s*(?:registry\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+)\s*\.\s*)?(?:"([^"]*)"|'([^']*)'|([\w-]+))\s*[\].=]/.exec(
      line,
    );
  return match !== null && (match[1] ?? match[2] ?? match[3]) === key;
}

/** "unknown key", with the known one that it may be a mistake for. */
export function unknownKey(key: string, known: readonly string[]): string {
  const near = closest(key, known);
  return `unknown key "${key}"${near === undefined ? "" : `; did you mean "${near}"?`}`;
}
