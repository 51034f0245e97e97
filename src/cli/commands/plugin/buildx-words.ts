// How docker buildx says what Kiln's command says in its own words, before a builder is asked.
import type { KilnError } from "../../../base/index.ts";
import { wireWords } from "../../../engine/history/index.ts";

/** `late` is found by buildx when it has begun to build: it says so. */
type Wording = readonly [
  ours: RegExp,
  theirs: (...parts: readonly string[]) => string,
  late?: "late",
];

const network =
  "you can define a custom network for your builder using the network driver-opt in buildx create";

const missing = (path: string) => `open ${path}: no such file or directory`;

const wordings: readonly Wording[] = [
  [
    /^build context "(.*)" (?:does not exist|is not a directory)$/s,
    (path) => `unable to prepare context: path "${path}" not found`,
  ],
  [
    /^Dockerfile "(.*)" does not exist$/s,
    (path) => `failed to solve: failed to read dockerfile: ${missing(path)}`,
  ],
  [
    /^standard input cannot be both the context and its Dockerfile$/,
    () => "invalid argument: can't use stdin for both build context and dockerfile",
    "late",
  ],
  [/^nothing came on standard input$/, () => "failed to solve: the Dockerfile cannot be empty"],
  [
    /^failed to unmarshal source policy file (.*): there is no such file$/s,
    (path) => `failed to read policy file: ${missing(path)}`,
  ],
  [/^bake file "(.*)" does not exist$/s, missing],
  [
    /^invalid image name "(.*)": .*lower/s,
    (name) => `invalid tag "${name}": repository name must be lowercase`,
  ],
  [/^invalid image name "(.*)": /s, (name) => `invalid tag "${name}": invalid reference format`],
  [
    /^a name is needed to push to a registry$/,
    () => "tag is needed when pushing to registry",
    "late",
  ],
  [
    /^platform "(.*)" has too many parts$/s,
    (text) => `"${text}": cannot parse platform specifier: invalid argument`,
  ],
  [
    /^platform "(.*)" has the invalid (?:part|operating system) "(.*)"$/s,
    (text, part) =>
      `"${part}" is an invalid component of "${text}": platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument`,
  ],
  [
    /^platform "(.*)" is neither an operating system nor an architecture$/s,
    (text) => `"${text}": unknown operating system or architecture: invalid argument`,
  ],
  [
    /^unknown output type "(.*)"$/s,
    (type) => `failed to solve: exporter "${type}" could not be found`,
    "late",
  ],
  [
    /^a directory is needed for a local output$/,
    () => "dest is required for local exporter",
    "late",
  ],
  [
    /^output file (.*) is a directory$/s,
    (path) => `destination file ${path} is a directory`,
    "late",
  ],
  [
    /^the directory of output file (.*) does not exist$/s,
    (path) => `failed to open ${missing(path)}`,
    "late",
  ],
  [
    /^output .* is to be a directory, but (.*) is a file$/s,
    (path) => `destination directory ${path} is a file`,
    "late",
  ],
  [
    /^two outputs cannot both be written to standard output$/,
    () => "multiple outputs configured to write to stdout",
    "late",
  ],
  [
    /^a docker archive holds one platform only$/,
    () => "docker exporter does not support exporting manifest lists, use the oci exporter instead",
    "late",
  ],
  [
    /^the directory of --iidfile (.*) does not exist$/s,
    (path) => `writing image ID file: ${missing(path)}`,
  ],
  [
    /^the directory of --metadata-file (.*) does not exist$/s,
    (path) => `invalid output path: stat ${path}: no such file or directory`,
  ],
  [
    /^the file of --iidfile (.*) is a directory$/s,
    (path) => `removing image ID file: remove ${path}: directory not empty`,
  ],
  [/^invalid value "(.*)" for --output: type is required$/s, () => "type is required for output"],
  [/^invalid value ".*" for --attest: type is required$/s, () => "attestation type not specified"],
  [
    /^invalid value ".*" for --attest: "(.*)" is not of the form key=value$/s,
    (field) => `invalid value ${field}`,
  ],
  [
    /^invalid value "(.*)" for --(?:build-arg|label): the name is missing$/s,
    (text) => `invalid key-value pair "${text}": empty key`,
  ],
  [
    /^invalid value "(.*)" for --cache-(?:from|to): type is required$/s,
    (text) => `type required form> "${text}"`,
  ],
  [
    /^invalid value ".*" for --call: unexpected key "(.*)"$/s,
    (key) => `invalid print field: ${key}`,
  ],
  [/^invalid value "(.*)" for --progress(?:: |$)/s, (mode) => `invalid progress mode ${mode}`],
  [
    /^--progress=(.*) and --quiet contradict each other$/,
    (mode) => `progress=${mode} and quiet cannot be used together`,
  ],
  [
    /^invalid value "(.*)" for --network: /s,
    (mode) => `network mode "${mode}" not supported by buildkit - ${network}`,
    "late",
  ],
  [/^invalid value "(.*)" for --add-host: /s, (host) => `invalid host ${host}`, "late"],
  [
    /^invalid value "(\w+):.*=.*" for --annotation: /s,
    (type) => `parse annotations: unknown annotation type "${type}"`,
    "late",
  ],
  [
    /^invalid value "(.*)" for --annotation: /s,
    (text) => `parse annotations: invalid annotation "${text}", expected key=value`,
    "late",
  ],
  [
    /^invalid value "(.*)=(.*)" for --build-context: /s,
    (name) => `invalid context name ${name}: invalid reference format`,
  ],
  [
    /^invalid value "(.*)" for --build-context: /s,
    (text) => `invalid context value: ${text}, expected key=value`,
  ],
  [
    /^build context (.*?)=(.*) does not exist$/s,
    (name, path) => `failed to get build context ${name}: stat ${path}: no such file or directory`,
  ],
  [
    /^file (.*) of secret .* does not exist$/s,
    (path) => `failed to stat ${path}: stat ${path}: no such file or directory`,
    "late",
  ],
  [/^a secret needs an id$/, () => "secret missing ID", "late"],
  [
    /^invalid value ".*" for --secret: unsupported type "(.*)"$/s,
    (type) => `unsupported secret type "${type}"`,
  ],
  [
    /^invalid value ".*" for --secret: "(.*)" is not of the form key=value$/s,
    (field) => `invalid field '${field}' must be a key=value pair`,
  ],
  [
    /^invalid value "(.*)" for --(?:secret|ssh|output): unexpected key "(.*)"$/s,
    (text, key) =>
      `unexpected key '${key}' in '${text.split(",").find((field) => field.startsWith(`${key}=`)) ?? text}'`,
  ],
  [
    /^--ssh (.*) needs an agent, and SSH_AUTH_SOCK is not set$/s,
    (id) =>
      `failed to convert agent config {${id} [] false}: invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set`,
  ],
  [
    /^invalid value "(.*)" for --ulimit: expected /s,
    (text) => invalidArgument(text, "ulimit", `invalid ulimit argument: ${text}`),
  ],
  [
    /^invalid value "(.*)" for --ulimit: unknown limit "(.*)"$/s,
    (text, type) => invalidArgument(text, "ulimit", `invalid ulimit type: ${type}`),
  ],
  [
    /^invalid value "(.*)" for --ulimit: the soft limit is above the hard one$/s,
    (text) =>
      invalidArgument(
        text,
        "ulimit",
        `ulimit soft limit must be less than or equal to hard limit: ${text.replace(/^.*=/, "").replace(":", " > ")}`,
      ),
  ],
  [
    /^invalid value "(.*)" for --?([\w-]+): must be a size /s,
    (text, flag) => invalidArgument(text, flag, `invalid size: '${text}'`),
  ],
  [
    /^invalid value "(.*)" for --?([\w-]+): must be true or false$/s,
    (text, flag) =>
      invalidArgument(text, flag, `strconv.ParseBool: parsing "${text}": invalid syntax`),
  ],
  [
    /^invalid value "(.*)" for --?([\w-]+): must be a whole number$/s,
    (text, flag) =>
      invalidArgument(text, flag, `strconv.ParseInt: parsing "${text}": invalid syntax`),
  ],
  [
    /^invalid value "(.*)" for --?([\w-]+): must be a duration /s,
    (text, flag) => invalidArgument(text, flag, `time: invalid duration "${text}"`),
  ],
  [
    /^invalid value "([^=]*)" for --filter: /s,
    (text) => invalidArgument(text, "filter", "bad format of filter (expected name=value)"),
  ],
  [/^reading the source descriptor .*?([^/]*): there is no such file or directory$/s, missing],
  [/^no sources: /, () => "no sources specified"],
  [
    /^there is no name to push to/,
    () => "can't push with no tags specified, please set --tag or --dry-run",
  ],
  [/^no source has an image for /, () => "none of the manifests match the provided platforms"],
  [
    /^annotations of type (.*) cannot be given to what is made from finished images$/,
    (type) => `"${type}" annotations are not supported yet`,
  ],
  [
    /^an annotation without a type cannot be given to/,
    () => '"" annotations are not supported yet',
  ],
  [/^(.*): not found in the registry$/, (name) => `${name}: not found`],
  [/^--format and --raw contradict each other$/, () => "format and raw cannot be used together"],
  [/^there is no build \^(\d+)$/, (offset) => `no completed build found with offset ${offset}`],
  [
    /^the template failed: there is no field \.(\w+)$/,
    (field) =>
      `template parsing error: template: :1:2: executing "" at <.${field}>: can't evaluate field ${field}`,
  ],
  [/^unknown command: kiln(?: .*)? ([^ ]+)$/, (word) => `unknown command: "${word}"`],
];

/** As docker's reader of flags has it. */
function invalidArgument(text: string, flag: string, why: string): string {
  return `invalid argument "${text}" for "--${flag}" flag: ${why}`;
}

export interface BuildxWords {
  readonly text: string;
  /** Known when building has begun. */
  readonly late: boolean;
}

/** The message in buildx's words, or in the daemon's that it would have asked, or as it is. Names of targets are left out. */
export function buildxWords(error: KilnError): BuildxWords {
  const message = error.message.replace(/^target [^ ]+: /, "");
  for (const [ours, theirs, late] of wordings) {
    const match = ours.exec(message);
    if (match) return { text: theirs(...match.slice(1)), late: late !== undefined };
  }
  return { text: wireWords(error), late: error.details["late"] !== undefined };
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
  const program = buildxName(byDocker);
  const [caller] = program.split(" ");
  // Two commands count in other words.
  if (sort === "no" && (name === "du" || name === "prune"))
    return `${caller}: '${program} ${name}' accepts no arguments`;
  const required = { "at least": "at least ", "0 to": "at most " }[sort ?? ""] ?? "";
  return `${caller}: '${program} ${name}' requires ${required}${count}`;
}

/** How the command is called, and where to read on. */
export function usageText(error: KilnError, byDocker: boolean): string {
  const hint = buildxHint(error.hint ?? "", byDocker);
  const [, usage = ""] = /^Usage: (.*)$/.exec(hint) ?? [];
  const command = usage.replace(/ \[?[A-Z].*| -$/, "");
  return `\nUsage:  ${usage}\n\nRun '${command} --help' for more information\n`;
}
