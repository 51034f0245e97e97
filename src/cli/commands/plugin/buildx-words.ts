// How docker buildx says what Kiln's command says in its own words, before a builder is asked.
import type { KilnError } from "../../../base/index.ts";
import { wireWords } from "../../../engine/history/index.ts";

type Wording = readonly [ours: RegExp, theirs: (...parts: readonly string[]) => string];

const network =
  "you can define a custom network for your builder using the network driver-opt in buildx create";

const wordings: readonly Wording[] = [
  [
    /^build context "(.*)" does not exist$/s,
    (path) => `unable to prepare context: path "${path}" not found`,
  ],
  [
    /^Dockerfile "(.*)" does not exist$/s,
    (path) => `failed to solve: failed to read dockerfile: open ${path}: no such file or directory`,
  ],
  [/^bake file "(.*)" does not exist$/s, (path) => `open ${path}: no such file or directory`],
  [/^invalid image name "(.*)": /s, (name) => `invalid tag "${name}": invalid reference format`],
  [/^a name is needed to push to a registry$/, () => "tag is needed when pushing to registry"],
  [
    /^platform "(.*)" has too many parts$/s,
    (text) => `"${text}": cannot parse platform specifier: invalid argument`,
  ],
  [
    /^platform "(.*)" has the invalid part "(.*)"$/s,
    (text, part) =>
      `"${part}" is an invalid component of "${text}": platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument`,
  ],
  [
    /^unknown output type "(.*)"$/s,
    (type) => `failed to solve: exporter "${type}" could not be found`,
  ],
  [/^invalid value "(.*)" for --progress: /s, (mode) => `invalid progress mode ${mode}`],
  [
    /^invalid value "(.*)" for --network: /s,
    (mode) => `network mode "${mode}" not supported by buildkit - ${network}`,
  ],
  [/^invalid value "(.*)" for --add-host: /s, (host) => `invalid host ${host}`],
  [
    /^invalid value "(.*)" for --annotation: /s,
    (text) => `parse annotations: invalid annotation "${text}", expected key=value`,
  ],
  [
    /^invalid value "(.*)" for --build-context: /s,
    (text) => `invalid context value: ${text}, expected key=value`,
  ],
  [
    /^invalid value "(.*)" for --(?:secret|ssh|output): unexpected key "(.*)"$/s,
    (text, key) => `unexpected key '${key}' in '${text}'`,
  ],
  [/^no sources: /, () => "no sources specified"],
  [
    /^there is no name to push to/,
    () => "can't push with no tags specified, please set --tag or --dry-run",
  ],
  [/^unknown command: kiln(?: .*)? ([^ ]+)$/, (word) => `unknown command: "${word}"`],
];

/** The message in buildx's words, or in the daemon's that it would have asked, or as it is. */
export function buildxWords(error: KilnError): string {
  for (const [ours, theirs] of wordings) {
    const match = ours.exec(error.message);
    if (match) return theirs(...match.slice(1));
  }
  return wireWords(error);
}

/** By what name docker buildx was called: as a plugin, or itself. */
export function buildxName(byDocker: boolean): string {
  return byDocker ? "docker buildx" : "buildx";
}

/** A hint that names Kiln's commands, for whoever calls them by buildx's name. */
export function buildxHint(hint: string, byDocker: boolean): string {
  return hint.replace(/\bkiln (?=[a-z-])/g, `${buildxName(byDocker)} `);
}

/** A wrong number of arguments, with how to call the command; undefined for other mistakes. */
export function countWords(error: KilnError, byDocker: boolean): string | undefined {
  const [, name, sort, count = "0 arguments"] =
    /^'kiln ([a-z -]+)' takes (no|exactly|at least|0 to) ?(\d+ arguments?)?/.exec(error.message) ??
    [];
  if (name === undefined) return undefined;
  const required = { "at least": "at least ", "0 to": "at most " }[sort ?? ""] ?? "";
  const program = buildxName(byDocker);
  const [caller] = program.split(" ");
  return `${caller}: '${program} ${name}' requires ${required}${count}`;
}

/** How the command is called, and where to read on. */
export function usageText(error: KilnError, byDocker: boolean): string {
  const hint = buildxHint(error.hint ?? "", byDocker);
  const [, usage = ""] = /^Usage: (.*)$/.exec(hint) ?? [];
  const command = usage.replace(/ \[?[A-Z].*| -$/, "");
  return `\nUsage:  ${usage}\n\nRun '${command} --help' for more information\n`;
}
