// What `--help` prints: usage, purpose, examples, and flags in two columns that fit the terminal.
import { type CommandSpec, type Flag, type FlagSet, globalFlags } from "./spec.ts";

/** Bold for headings, or nothing where there is no colour. */
export type Emphasis = (text: string) => string;

/** One command in a list of commands. */
export interface CommandLine {
  readonly name: string;
  readonly summary: string;
}

export interface HelpLook {
  /** Columns to fill; text is wrapped at spaces. */
  readonly width: number;
  readonly bold: Emphasis;
}

/** Help of a command that runs something. */
export function commandHelp(spec: CommandSpec, look: HelpLook): string {
  const name = ["kiln", ...spec.path].join(" ");
  const parts = [`${look.bold("Usage:")}  ${usageLine(spec)}`, wrap(spec.summary, 0, look.width)];
  if (spec.about !== undefined) parts.push(wrap(spec.about, 0, look.width));
  if (spec.aliases?.length) {
    const aliases = [
      name,
      ...spec.aliases.map((alias) => ["kiln", ...spec.path.slice(0, -1), alias].join(" ")),
    ];
    parts.push(`${look.bold("Aliases:")}\n  ${aliases.join(", ")}`);
  }
  if (spec.examples?.length) {
    const lines = spec.examples.map(({ what, run }) => `  # ${what}\n  ${run}`);
    parts.push(`${look.bold("Examples:")}\n${lines.join("\n\n")}`);
  }
  const own = flagTable(spec.flags, look.width);
  if (own !== "") parts.push(`${look.bold("Options:")}\n${own}`);
  parts.push(`${look.bold("Global options:")}\n${flagTable(globalFlags, look.width)}`);
  return `${parts.join("\n\n")}\n`;
}

/** Help of a command that only has commands below it, and of `kiln` itself. */
export function groupHelp(
  group: {
    readonly path: readonly string[];
    readonly summary: string;
    readonly about?: string;
    /** Those that all of its commands take. */
    readonly flags?: FlagSet;
  },
  commands: readonly CommandLine[],
  look: HelpLook,
): string {
  const name = ["kiln", ...group.path].join(" ");
  const column = Math.max(...commands.map((command) => command.name.length)) + 4;
  const rows = commands.map((command) =>
    twoColumns(`  ${command.name}`, command.summary, column, look.width),
  );
  const parts = [
    `${look.bold("Usage:")}  ${name} [OPTIONS] COMMAND`,
    wrap(group.summary, 0, look.width),
    ...(group.about === undefined ? [] : [wrap(group.about, 0, look.width)]),
    `${look.bold("Commands:")}\n${rows.join("\n")}`,
    ...(group.flags ? [`${look.bold("Options:")}\n${flagTable(group.flags, look.width)}`] : []),
    `${look.bold("Global options:")}\n${flagTable(globalFlags, look.width)}`,
    `Run '${name} COMMAND --help' for more about a command.`,
  ];
  return `${parts.join("\n\n")}\n`;
}

/** `kiln build [OPTIONS] PATH | URL | -`. */
export function usageLine(spec: CommandSpec): string {
  const options = Object.keys(spec.flags).length > 0 ? ["[OPTIONS]"] : [];
  return [
    "kiln",
    ...spec.path,
    ...options,
    ...(spec.argsUsage === undefined ? [] : [spec.argsUsage]),
  ].join(" ");
}

/** Word for a flag's value in help; empty for flags that need none. */
export function valueWord(flag: Flag): string {
  if (flag.type === "bool") return "";
  return (
    flag.value ?? (flag.type === "stringArray" || flag.type === "stringSlice" ? "value" : flag.type)
  );
}

/** The flags a user should see, by name. */
export function visibleFlags(set: FlagSet): [string, Flag][] {
  return Object.entries(set)
    .filter(([, flag]) => !flag.hidden)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The default in words, or undefined where it is the zero value. */
export function defaultWord(flag: Flag): string | undefined {
  return flag.default === undefined || flag.default === "" ? undefined : flag.default;
}

const widestFlagColumn = 34;

function flagTable(set: FlagSet, width: number): string {
  const rows = visibleFlags(set).map(([name, flag]) => ({
    left: flagWords(name, flag),
    right: describe(flag),
  }));
  const widest = Math.max(
    0,
    ...rows.map((row) => row.left.length).filter((length) => length <= widestFlagColumn),
  );
  const column = widest + 3;
  return rows.map((row) => twoColumns(row.left, row.right, column, width)).join("\n");
}

function flagWords(name: string, flag: Flag): string {
  const short = flag.short === undefined ? "     " : ` -${flag.short}, `;
  const word = valueWord(flag);
  const value = word === "" ? "" : flag.alone === undefined ? ` ${word}` : `[=${word}]`;
  return ` ${short}--${name}${value}`;
}

function describe(flag: Flag): string {
  const word = defaultWord(flag);
  return word === undefined ? flag.usage : `${flag.usage} (default: ${word})`;
}

/** `left` padded to `column`, then `right` wrapped beside it; below it where `left` is too long. */
function twoColumns(left: string, right: string, column: number, width: number): string {
  const text = wrap(right, column, width).trimStart();
  return left.length + 2 > column
    ? `${left}\n${" ".repeat(column)}${text}`
    : left.padEnd(column) + text;
}

/** Wraps paragraphs at spaces so that no line, with `indent` before it, is wider than `width` unless a word is. */
export function wrap(text: string, indent: number, width: number): string {
  const pad = " ".repeat(indent);
  const lines = text.split("\n").flatMap((paragraph) => {
    const out: string[] = [];
    for (const word of paragraph.split(" ")) {
      const last = out.at(-1);
      if (last !== undefined && indent + last.length + 1 + word.length <= width)
        out[out.length - 1] = `${last} ${word}`;
      else out.push(word);
    }
    return out;
  });
  return lines.map((line) => (line === "" ? "" : pad + line)).join("\n");
}
