// `__complete`: what could stand next on the command line, in cobra's protocol, which docker and shells' scripts speak.
import { type FlagSet, globalFlags } from "../../flags/index.ts";
import type { Command, RunWorld, World } from "../command.ts";

/** A word of the command line: what completion needs of the command table. */
export interface CompletionEntry {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly load?: () => Promise<Command>;
  readonly children?: readonly CompletionEntry[];
}

/** Cobra's directives: what the shell may add of its own. */
const directives = { default: 0, noFiles: 4 } as const;

interface Answer {
  /** Words, each with what it means behind a tab. */
  readonly words: readonly string[];
  readonly directive: (typeof directives)[keyof typeof directives];
}

const nothing: Answer = { words: [], directive: directives.noFiles };

/** Commands whose arguments are builders. */
const builderCommands = new Set(["use", "inspect", "rm", "stop"]);

/** Prints the candidates for the last of `argv`, which is unfinished and may be empty; `described` with what they mean. */
export async function complete(
  argv: readonly string[],
  root: CompletionEntry,
  described: boolean,
  world: World,
): Promise<number> {
  const answer = await candidates(argv, root, () => builderNames(world));
  const words = described ? answer.words : answer.words.map((word) => word.replace(/\t.*/, ""));
  world.stdout.write([...words, `:${answer.directive}`, ""].join("\n"));
  const name =
    answer.directive === directives.default
      ? "ShellCompDirectiveDefault"
      : "ShellCompDirectiveNoFileComp";
  world.stderr.write(`Completion ended with directive: ${name}\n`);
  return 0;
}

/** Names of all builders; whatever is wrong with them is no matter here. */
async function builderNames(world: World): Promise<readonly string[]> {
  const { openKnownBuilders } = await import("../builders/known-builders.ts");
  const globals = { builder: "", config: "", debug: false, help: false, root: "" };
  try {
    const known = await openKnownBuilders({ ...world, globals } as RunWorld);
    return known.all().map(({ name }) => name);
  } catch {
    return [];
  }
}

async function candidates(
  argv: readonly string[],
  root: CompletionEntry,
  builders: () => Promise<readonly string[]>,
): Promise<Answer> {
  const unfinished = argv.at(-1) ?? "";
  const before = argv.slice(0, -1);
  let entry = root;
  let args = 0;
  for (const word of before) {
    if (word.startsWith("-")) continue;
    const child = entry.children?.find((one) => one.name === word || one.aliases?.includes(word));
    if (child) entry = child;
    else if (entry.children) return nothing;
    else args++;
  }
  const flags: FlagSet = { ...globalFlags, ...(entry.load ? (await entry.load()).spec.flags : {}) };
  if (unfinished.startsWith("-") && !unfinished.includes("=")) return flagNames(flags, unfinished);
  const waiting = before.at(-1) ?? "";
  if (waiting === "--builder") return starting(await builders(), unfinished);
  if (takesValue(flags, waiting)) return { words: [], directive: directives.default };
  if (entry.children) {
    const words = entry.children.filter(({ name }) => name.startsWith(unfinished));
    return {
      words: words.map(({ name, summary }) => `${name}\t${summary}`),
      directive: directives.noFiles,
    };
  }
  if (builderCommands.has(entry.name) && entry.children === undefined)
    return args > 0 && entry.name !== "rm" ? nothing : starting(await builders(), unfinished);
  return { words: [], directive: directives.default };
}

function starting(words: readonly string[], start: string): Answer {
  return { words: words.filter((word) => word.startsWith(start)), directive: directives.noFiles };
}

function flagNames(flags: FlagSet, start: string): Answer {
  const names = Object.entries(flags)
    .filter(([name, flag]) => !flag.hidden && `--${name}`.startsWith(start))
    .map(([name, flag]) => `--${name}\t${flag.usage}`)
    .sort();
  return { words: names, directive: directives.noFiles };
}

function takesValue(flags: FlagSet, word: string): boolean {
  const flag = word.startsWith("--")
    ? flags[word.slice(2)]
    : Object.values(flags).find(({ short }) => word === `-${short}`);
  return flag !== undefined && flag.type !== "bool" && flag.alone === undefined;
}
