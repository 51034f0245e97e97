// Cases of `kiln bake --print`: files, arguments and environment, with what docker buildx 0.29.1 made of them.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** One case: `args:` and `env:` lines, then files, each under `-- NAME --`. */
export interface BakeCase {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly files: ReadonlyMap<string, string>;
  /** What buildx printed. */
  readonly printed: string | undefined;
  /** Where buildx refused: its words. */
  readonly refused: string | undefined;
}

const directory = join(import.meta.dirname, "cases");

/** All cases, in the order of their names. */
export function readCases(): readonly BakeCase[] {
  return readdirSync(directory)
    .sort()
    .map((file) => readCase(file.replace(/\.txt$/, ""), readFileSync(join(directory, file), "utf8")));
}

function readCase(name: string, text: string): BakeCase {
  const [head = "", ...rest] = text.split(/^-- (.*) --\n/m);
  const sections = new Map<string, string>();
  for (let at = 0; at < rest.length; at += 2) sections.set(rest[at] ?? "", rest[at + 1] ?? "");
  const lines = (key: string) =>
    head.split("\n").flatMap((line) => (line.startsWith(`${key}: `) ? [line.slice(key.length + 2)] : []));
  const printed = sections.get("printed");
  const refused = sections.get("refused");
  sections.delete("printed");
  sections.delete("refused");
  return {
    name,
    args: lines("args").flatMap((line) => [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, a, b]) => a ?? b ?? "")),
    env: Object.fromEntries(
      lines("env").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    ),
    files: sections,
    printed,
    refused,
  };
}

/** Writes the case's files. */
export function writeFiles({ files }: BakeCase, into: string): void {
  for (const [name, text] of files) {
    mkdirSync(dirname(join(into, name)), { recursive: true });
    writeFileSync(join(into, name), text);
  }
}
