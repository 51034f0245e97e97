// Finds the command that the arguments name, reads its flags, and runs it. Commands are loaded when they are needed.
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
import { buildctl } from "./buildctl/entries.ts";
import { type Command, sayWarning, type World } from "./command.ts";
import { debugFlags } from "./debug/flags.ts";
import type { Entry } from "./entry.ts";

export type { Command, RunWorld, World } from "./command.ts";
export { readPluginStart, watchPluginSocket } from "./plugin/plugin-mode.ts";

/** All commands. The summaries here are those of the commands' own specs (a test compares). */
export const root: Entry = {
  name: "kiln",
  summary: "Build container images for every processor: one command, one image name",
  about: "No daemon and no set-up: the build runs in this process.",
  children: [
    {
      name: "bake",
      aliases: ["f"],
      summary: "Build from a file",
      load: async () => (await import("./bake/bake.ts")).bake,
    },
    {
      name: "binfmt",
      summary: "Register emulators with the kernel",
      load: async () => (await import("./machine/binfmt.ts")).binfmt,
    },
    {
      name: "build",
      aliases: ["b"],
      summary: "Start a build",
      load: async () => (await import("./build/build.ts")).build,
    },
    buildctl,
    {
      name: "copy",
      summary: "Copy an image between registries and OCI layouts",
      load: async () => (await import("./images/copy.ts")).copy,
    },
    {
      name: "debug",
      summary: "Start builds that can be entered",
      passed: debugFlags,
      children: [
        {
          name: "build",
          aliases: ["b"],
          summary: "Start a build that can be entered where it fails",
          load: async () => (await import("./debug/debug.ts")).debugBuild,
        },
      ],
    },
    {
      name: "doctor",
      summary: "Check what builds need on this machine",
      load: async () => (await import("./machine/doctor.ts")).doctor,
    },
    {
      name: "create",
      summary: "Create a new builder instance",
      load: async () => (await import("./builders/create.ts")).create,
    },
    {
      name: "dial-stdio",
      summary: "Proxy current stdio streams to builder instance",
      load: async () => (await import("./builders/dial-stdio.ts")).dialStdio,
    },
    {
      name: "diff",
      summary: "Explain how two images differ",
      load: async () => (await import("./images/diff.ts")).diff,
    },
    {
      name: "du",
      summary: "Show disk usage of the build cache",
      load: async () => (await import("./machine/du.ts")).du,
    },
    {
      name: "history",
      summary: "Commands to work on build records",
      children: [
        {
          name: "export",
          summary: "Export build records into Docker Desktop bundle",
          load: async () => (await import("./history/export.ts")).historyExport,
        },
        {
          name: "import",
          summary: "Import build records from a .dockerbuild file",
          load: async () => (await import("./history/import.ts")).historyImport,
        },
        {
          name: "inspect",
          summary: "Inspect a build record",
          load: async () => (await import("./history/inspect.ts")).historyInspect,
          children: [
            {
              name: "attachment",
              summary: "Inspect a build record attachment",
              load: async () => (await import("./history/attachment.ts")).historyAttachment,
            },
          ],
        },
        {
          name: "logs",
          summary: "Print the logs of a build record",
          load: async () => (await import("./history/logs.ts")).historyLogs,
        },
        {
          name: "ls",
          summary: "List build records",
          load: async () => (await import("./history/ls.ts")).historyLs,
        },
        {
          name: "open",
          summary: "Write a build record as a page for the browser",
          load: async () => (await import("./history/open.ts")).historyOpen,
        },
        {
          name: "rm",
          summary: "Remove build records",
          load: async () => (await import("./history/rm.ts")).historyRm,
        },
        {
          name: "trace",
          summary: "Show the OpenTelemetry trace of a build record",
          load: async () => (await import("./history/trace.ts")).historyTrace,
        },
      ],
    },
    {
      name: "image",
      summary: "Work with images of the local store",
      children: [
        {
          name: "load",
          summary: "Load images from an archive into the local store",
          load: async () => (await import("./images/image-load.ts")).imageLoad,
        },
        {
          name: "ls",
          aliases: ["list"],
          summary: "List images of the local store",
          load: async () => (await import("./images/image-ls.ts")).imageLs,
        },
        {
          name: "rm",
          aliases: ["remove"],
          summary: "Remove names from the local store",
          load: async () => (await import("./images/image-rm.ts")).imageRm,
        },
        {
          name: "save",
          summary: "Save images of the local store to an archive",
          load: async () => (await import("./images/image-save.ts")).imageSave,
        },
        {
          name: "tag",
          summary: "Give an image of the local store another name",
          load: async () => (await import("./images/image-tag.ts")).imageTag,
        },
      ],
    },
    {
      name: "imagetools",
      summary: "Work with images in registries",
      children: [
        {
          name: "create",
          summary: "Create a new image based on source images",
          load: async () => (await import("./images/imagetools-create.ts")).imagetoolsCreate,
        },
        {
          name: "inspect",
          summary: "Show details of an image in the registry",
          load: async () => (await import("./images/imagetools-inspect.ts")).imagetoolsInspect,
        },
      ],
    },
    {
      name: "inspect",
      summary: "Inspect current builder instance",
      load: async () => (await import("./builders/inspect.ts")).inspect,
    },
    {
      name: "install",
      summary: "Install buildx as a 'docker builder' alias",
      hidden: true,
      load: async () => (await import("./plugin/builder-alias.ts")).install,
    },
    {
      name: "login",
      summary: "Log in to a registry",
      load: async () => (await import("./images/login.ts")).login,
    },
    {
      name: "logout",
      summary: "Log out from a registry",
      load: async () => (await import("./images/logout.ts")).logout,
    },
    {
      name: "ls",
      summary: "List builder instances",
      load: async () => (await import("./builders/ls.ts")).ls,
    },
    {
      name: "manifest",
      summary: "Manage manifest lists as docker manifest does",
      children: [
        {
          name: "annotate",
          summary: "Add additional information to a local image manifest",
          load: async () => (await import("./images/manifest-annotate.ts")).manifestAnnotate,
        },
        {
          name: "create",
          summary: "Create a local manifest list for annotating and pushing to a registry",
          load: async () => (await import("./images/manifest-create.ts")).manifestCreate,
        },
        {
          name: "inspect",
          summary: "Display an image manifest, or manifest list",
          load: async () => (await import("./images/manifest-inspect.ts")).manifestInspect,
        },
        {
          name: "push",
          summary: "Push a manifest list to a repository",
          load: async () => (await import("./images/manifest-push.ts")).manifestPush,
        },
        {
          name: "rm",
          summary: "Delete one or more manifest lists from local storage",
          load: async () => (await import("./images/manifest-rm.ts")).manifestRm,
        },
      ],
    },
    {
      name: "plugin",
      summary: "Use Kiln as a plugin of docker's command",
      children: [
        {
          name: "install",
          summary: "Make Kiln a plugin of docker's command",
          load: async () => (await import("./plugin/plugin-install.ts")).pluginInstall,
        },
        {
          name: "uninstall",
          summary: "Take Kiln out of docker's plugins",
          load: async () => (await import("./plugin/plugin-uninstall.ts")).pluginUninstall,
        },
      ],
    },
    {
      name: "prune",
      summary: "Remove build cache",
      load: async () => (await import("./machine/prune.ts")).prune,
    },
    {
      name: "rm",
      summary: "Remove one or more builder instances",
      load: async () => (await import("./builders/rm.ts")).rm,
    },
    {
      name: "run",
      summary: "Run a command in a new container of an image",
      load: async () => (await import("./run/run.ts")).run,
    },
    {
      name: "stop",
      summary: "Stop builder instance",
      load: async () => (await import("./builders/stop.ts")).stop,
    },
    {
      name: "uninstall",
      summary: "Uninstall the 'docker builder' alias",
      hidden: true,
      load: async () => (await import("./plugin/builder-alias.ts")).uninstall,
    },
    {
      name: "use",
      summary: "Set the current builder instance",
      load: async () => (await import("./builders/use.ts")).use,
    },
    {
      name: "serve",
      summary: "Run a daemon that speaks BuildKit's protocol",
      load: async () => (await import("./serve/serve.ts")).serve,
    },
    {
      name: "version",
      summary: "Show version information",
      load: async () => (await import("./version.ts")).version,
    },
  ],
};

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
    if (!child) throw unknownCommand(word, entry, path);
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
    world.stdout.write(commandHelp(spec, lookOf(world)));
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
  const standing = command.opensStore ? world.enter?.(globals.isolation) : undefined;
  if (standing !== undefined && globals.debug) sayStanding(standing, world);
  return command.run(parsed.flags, parsed.args, {
    ...world,
    globals,
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
  const { summary, about, flags } = entry;
  const group = {
    path: path.slice(1).map((one) => one.name),
    summary,
    ...(flags === undefined ? {} : { flags }),
    ...(about === undefined ? {} : { about }),
  };
  return groupHelp(group, lines, lookOf(world));
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
