// Finds the command that the arguments name, reads its flags, and runs it.
import { closest, KilnError } from "../../base/index.ts";
import type { Standing } from "../../engine/isolation/index.ts";
import {
  type CommandLine,
  commandHelp,
  type FlagSet,
  type GlobalFlags,
  globalFlags,
  groupHelp,
  type HelpLook,
  parseFlags,
  usageLine,
} from "../flags/index.ts";
import { type Command, sayWarning, standsInForBuildx, type World } from "./command.ts";
import type { Entry } from "./entry.ts";
import type { PluginStart } from "./plugin/plugin-mode.ts";
import { root } from "./root.ts";

export type { Command, RunWorld, World } from "./command.ts";
export { type PluginStart, readPluginStart, watchPluginSocket } from "./plugin/plugin-mode.ts";
export { root };

const rootFlags = {
  ...globalFlags,
  version: { type: "bool", short: "v", usage: "Show version information" },
} as const satisfies FlagSet;

/** Runs what `argv` (without node and script) asks for and resolves with the exit code. Failures are thrown. */
export async function runCommandLine(argv: readonly string[], world: World): Promise<number> {
  if (argv[0] === "__complete" || argv[0] === "__completeNoDesc")
    return await runCompletion(argv, world);
  const path: Entry[] = [root];
  const before: string[] = [];
  let rest = argv;
  let entry = root;
  while (entry.children && !(entry.load && takesRest(entry, rest))) {
    const set: typeof rootFlags = { ...rootFlags, ...entry.flags, ...entry.passed };
    const parsed = parseFlags(set, rest, {
      stopAtPositional: true,
      singleDash: entry.flags !== undefined,
      command: nameOf(path),
    });
    const { values } = parsed.flags;
    before.push(...rest.slice(0, rest.length - parsed.args.length).filter((word) => word !== "--"));
    if (values.version && entry.program !== undefined) {
      const { kilnVersion } = await import("./version.ts");
      world.stdout.write(`${entry.program} kiln v${kilnVersion}\n`);
      return 0;
    }
    if (values.version) return runCommand([root, versionEntry()], [], world);
    const [word, ...after] = parsed.args;
    if (word === undefined) {
      world.stdout.write(helpOfGroup(path, world));
      return 0;
    }
    if (word === "help") {
      rest = [...after.slice(0, 1), ...(after.length > 0 ? [...after.slice(1), "--help"] : [])];
      continue;
    }
    const child = entry.children.find((one) => one.name === word || one.aliases?.includes(word));
    if (!child) {
      const failure = unknownCommand(word, entry, path);
      if (!path.some(({ program }) => program)) {
        if (standsInForBuildx(world)) world.stdout.write(helpOfGroup(path, world));
        throw failure;
      }
      world.stderr.write(`No help topic for '${word}'\n${failure.hint}\n`);
      return noHelpTopic;
    }
    if (values.help && child.children && !child.load) {
      world.stdout.write(helpOfGroup([...path, child], world));
      return 0;
    }
    path.push(child);
    entry = child;
    rest = after;
  }
  return runCommand(path, [...before, ...rest], world);
}

/** What buildctl ends with where there is no such command. */
const noHelpTopic = 3;

/** For a command that has commands below it: whether the words are its own, and none of theirs comes first. */
function takesRest({ children = [] }: Entry, rest: readonly string[]): boolean {
  return !children.some(({ name }) => rest[0] === name);
}

async function runCommand(
  path: readonly Entry[],
  argv: readonly string[],
  world: World,
): Promise<number> {
  const load = path.at(-1)?.load;
  if (!load) throw new Error(`no command behind ${nameOf(path)}`);
  const command = await load();
  const { spec } = command;
  const set: FlagSet = { ...globalFlags, ...spec.flags };
  const name = nameOf(path);
  if (asksForHelp(argv, spec.passThrough ?? false)) {
    world.stdout.write(asCalled(commandHelp(spec, lookOf(world)), world));
    return 0;
  }
  const parsed = parseFlags(set, argv, {
    command: name,
    ...(spec.passThrough ? { stopAtPositional: true } : {}),
    singleDash: path.some((entry) => entry.flags !== undefined),
  });
  for (const warning of parsed.warnings) sayWarning(world, warning);
  checkArgs(parsed.args, spec, name);
  const globals = parsed.flags.values as unknown as GlobalFlags["values"];
  // Docker's flag of that name says how Windows runs containers.
  const foreign = globals.isolation !== "" && standsInForBuildx(world);
  if (foreign) sayWarning(world, "isolation flag is deprecated with BuildKit.");
  const isolation = foreign ? "" : globals.isolation;
  const standing = command.opensStore ? world.enter?.(isolation) : undefined;
  if (standing !== undefined && globals.debug && !standsInForBuildx(world))
    sayStanding(standing, world);
  return command.run(parsed.flags, parsed.args, {
    ...world,
    globals,
    line: [...path.slice(1).map((entry) => entry.name), ...argv],
    ...(standing && { standing }),
  });
}

/** Which rung of the ladder was taken, for those who ask. */
function sayStanding({ isolation, owners, obstacle }: Standing, world: World): void {
  const why = obstacle === undefined ? "" : ` (${obstacle.reason})`;
  world.stderr.write(
    `isolation: ${isolation}, files have ${owners === "one" ? "one owner" : "many owners"}${why}\n`,
  );
}

/** `--help` wins over mistakes elsewhere on the line; after `--`, or in a program's own arguments, it is not ours. */
function asksForHelp(argv: readonly string[], passThrough: boolean): boolean {
  const end = argv.findIndex((word) => word === "--" || (passThrough && !word.startsWith("-")));
  return (end === -1 ? argv : argv.slice(0, end)).some(
    (word) => word === "--help" || word === "-h",
  );
}

function checkArgs(args: readonly string[], spec: Command["spec"], name: string): void {
  const { min, max } = spec.args;
  if (args.length >= min && args.length <= max) return;
  const given = args.length === 0 ? "none was given" : `${args.length} were given`;
  throw new KilnError("FLAG_INVALID", `'${name}' takes ${countWords(spec.args)}, but ${given}`, {
    hint: `Usage: ${usageLine(spec)}`,
  });
}

function countWords({ min, max }: { min: number; max: number }): string {
  const words = (count: number) => `${count} argument${count === 1 ? "" : "s"}`;
  if (max === 0) return "no arguments";
  if (min === max) return `exactly ${words(min)}`;
  return max === Number.POSITIVE_INFINITY ? `at least ${words(min)}` : `${min} to ${words(max)}`;
}

/** How a failure is told where Kiln stands in buildx's place; undefined where it does not. */
export async function pluginFailure(
  error: unknown,
  { argv, env, byDocker }: PluginStart,
): Promise<{ readonly text: string; readonly exitCode: number } | undefined> {
  if (env["KILN_PLUGIN"] !== "buildx") return undefined;
  const { buildxFailure } = await import("./plugin/buildx-failure.ts");
  return buildxFailure(error, { command: commandOf(argv), byDocker });
}

/** The line's first word that is neither a flag nor a flag's value. */
function commandOf(argv: readonly string[]): string | undefined {
  const set = { ...rootFlags };
  try {
    return parseFlags(set, argv, { stopAtPositional: true, command: "kiln" }).args[0];
  } catch {
    return argv.find((word) => !word.startsWith("-"));
  }
}

/** Candidates for the last word; docker puts the plugin's name before the others. */
async function runCompletion([how, ...words]: readonly string[], world: World): Promise<number> {
  const { complete } = await import("./plugin/complete.ts");
  const asked = words[0] === world.env["KILN_PLUGIN"] ? words.slice(1) : words;
  return await complete(asked, { ...root, children: shown(root) }, how === "__complete", world);
}

function shown({ children = [] }: Entry): readonly Entry[] {
  return children.filter(({ hidden }) => !hidden);
}

function versionEntry(): Entry {
  const entry = root.children?.find((child) => child.name === "version");
  if (!entry) throw new Error("no version command");
  return entry;
}

function unknownCommand(word: string, entry: Entry, path: readonly Entry[]): KilnError {
  const names = (entry.children ?? []).map((child) => child.name);
  const near = closest(word, names);
  const hint =
    near === undefined
      ? `Run '${nameOf(path)} --help' for the commands.`
      : `Did you mean '${nameOf(path)} ${near}'?`;
  return new KilnError("FLAG_INVALID", `unknown command: ${nameOf(path)} ${word}`, { hint });
}

function nameOf(path: readonly Entry[]): string {
  return path.map((entry) => entry.name).join(" ");
}

function helpOfGroup(path: readonly Entry[], world: World): string {
  const entry = path.at(-1) ?? root;
  const lines: CommandLine[] = shown(entry).map(({ name, summary }) => ({
    name,
    summary,
  }));
  const { flags } = entry;
  const { summary, about } =
    entry === root && standsInForBuildx(world)
      ? { summary: "Extended build capabilities with BuildKit", about: undefined }
      : entry;
  const group = {
    path: path.slice(1).map((one) => one.name),
    summary,
    ...(flags === undefined ? {} : { flags }),
    ...(about === undefined ? {} : { about }),
  };
  return asCalled(groupHelp(group, lines, lookOf(world)), world);
}

/** Help in the name of the command that Kiln stands in for. */
function asCalled(text: string, world: World): string {
  return standsInForBuildx(world)
    ? text.replace(/(?<![/\w])kiln (?=[[a-zA-Z-])/g, "docker buildx ")
    : text;
}

/** Lines longer than this are hard to read, however wide the terminal. */
const widestHelp = 110;

function lookOf(world: World): HelpLook {
  return { width: Math.min(world.stdout.columns, widestHelp), bold: world.stdout.style.bold };
}

/** Every command's spec, for the generated reference. */
export async function commandSpecs(): Promise<readonly Command["spec"][]> {
  const visit = async (entry: Entry): Promise<Command["spec"][]> => {
    const own = entry.load ? [(await entry.load()).spec] : [];
    return [...own, ...(await Promise.all(shown(entry).map(visit))).flat()];
  };
  return visit(root);
}
