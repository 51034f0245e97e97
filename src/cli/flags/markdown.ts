// The command reference in docs/cli, made from the same data as the help.
import { defaultWord, usageLine, valueWord, visibleFlags } from "./help.ts";
import type { CommandSpec, FlagSet } from "./spec.ts";

/** The page of one command. */
export function commandPage(spec: CommandSpec): string {
  const name = ["kiln", ...spec.path].join(" ");
  const parts = [`# ${name}`, `${spec.summary}.`, `\`\`\`text\n${usageLine(spec)}\n\`\`\``];
  if (spec.about !== undefined) parts.push(spec.about);
  if (spec.aliases?.length) {
    const aliases = spec.aliases.map(
      (alias) => `\`${["kiln", ...spec.path.slice(0, -1), alias].join(" ")}\``,
    );
    parts.push(`Also: ${aliases.join(", ")}.`);
  }
  if (spec.examples?.length) {
    const lines = spec.examples.map(({ what, run }) => `# ${what}\n${run}`);
    parts.push(`## Examples\n\n\`\`\`sh\n${lines.join("\n\n")}\n\`\`\``);
  }
  if (visibleFlags(spec.flags).length > 0) parts.push(`## Options\n\n${flagsTable(spec.flags)}`);
  return `${parts.join("\n\n")}\n`;
}

/** The page that lists all commands and the global options. */
export function indexPage(commands: readonly CommandSpec[], globals: FlagSet): string {
  const rows = commands.map(
    (spec) => `| [\`kiln ${spec.path.join(" ")}\`](${pageName(spec)}) | ${cell(spec.summary)} |`,
  );
  const table = ["| Command | What it does |", "| --- | --- |", ...rows].join("\n");
  return `# Commands\n\n${table}\n\n## Global options\n\n${flagsTable(globals)}\n`;
}

/** File name of a command's page: `imagetools-inspect.md`. */
export function pageName(spec: CommandSpec): string {
  return `${spec.path.join("-")}.md`;
}

function flagsTable(set: FlagSet): string {
  const rows = visibleFlags(set).map(([name, flag]) => {
    const word = valueWord(flag);
    const value = word === "" ? "" : flag.alone === undefined ? ` ${word}` : `[=${word}]`;
    const short = flag.short === undefined ? "" : `\`-${flag.short}\`, `;
    const standard = defaultWord(flag);
    const many =
      flag.type === "stringArray" || flag.type === "stringSlice"
        ? " May be given several times."
        : "";
    const suffix = standard === undefined ? "" : ` Default: \`${standard}\`.`;
    return `| ${short}\`--${name}${cell(value)}\` | ${cell(flag.usage)}.${many}${suffix} |`;
  });
  return ["| Option | Meaning |", "| --- | --- |", ...rows].join("\n");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
