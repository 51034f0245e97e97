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
  [
    /^'kiln ([a-z -]+)' takes exactly (\d+ arguments?)/,
    (name, count) => `docker: 'docker buildx ${name}' requires ${count}`,
  ],
  [
    /^'kiln ([a-z -]+)' takes 0 to (\d+ arguments?)/,
    (name, count) => `docker: 'docker buildx ${name}' requires at most ${count}`,
  ],
  [
    /^'kiln ([a-z -]+)' takes at least (\d+ arguments?)/,
    (name, count) => `docker: 'docker buildx ${name}' requires at least ${count}`,
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

/** A hint that names Kiln's commands, for whoever calls them by buildx's name. */
export function buildxHint(hint: string): string {
  return hint.replace(/\bkiln (?=[a-z])/g, "docker buildx ");
}
