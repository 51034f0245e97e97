// Runs `kiln bake`: files to targets, targets to builds, builds all at once.
import { randomBytes } from "node:crypto";
import { availableParallelism, homedir } from "node:os";
import { runInNewContext } from "node:vm";
import { AsyncStack, KilnError, writeFileAtomic } from "../../../base/index.ts";
import {
  bakeJson,
  type FilesOptions,
  parseOverrides,
  type ResolvedBake,
  readBakeFiles,
  resolveBake,
} from "../../../formats/bake/index.ts";
import { formatPlatform, hostPlatform } from "../../../formats/oci/index.ts";
import { type Flags, parseFlags, parseKeyValues } from "../../flags/index.ts";
import { type OpenDisplay, openDisplay, type ProgressMode } from "../../progress/index.ts";
import { wantedJobs, wantedProgress } from "../build/choices.ts";
import { type BuildFlags, buildFlags } from "../build/flags.ts";
import { buildMetadata, type FinishedBuild } from "../build/result.ts";
import { openBuildDisplay } from "../build/run-plan.ts";
import { isRemote, outputFile } from "../build/sources.ts";
import { openBuilder } from "../builders/builder.ts";
import { openClientConfig } from "../builders/client-config.ts";
import { type RunWorld, sayWarning, standsInForBuildx } from "../command.ts";
import { checkAllowed } from "./allowed.ts";
import { sayAnswers } from "./answers.ts";
import { type ToldFile, tellDefinitions } from "./definitions-step.ts";
import { type BakeFile, namedFiles, readBeside, readLocalFiles } from "./find-files.ts";
import type { BakeFlags } from "./flags.ts";
import { type ListSpec, listText, parseList } from "./list.ts";
import { planTargets } from "./plan-targets.ts";
import { type RemoteParts, readRemoteFiles, remoteFields } from "./remote.ts";
import { runTargets } from "./run-targets.ts";

/** One bake from its flags to its exit code. */
export async function runBake(
  flags: Flags<BakeFlags>,
  args: readonly string[],
  world: RunWorld,
): Promise<number> {
  await using stack = new AsyncStack();
  const { values } = flags;
  const { address, commandContext, names } = splitArguments(args);
  const shared = sharedFlags(flags);
  const progress = wantedProgress(shared, world.env);
  const jobs = (targets: number) => wantedJobs(shared, world.env) ?? jobsFor(targets);
  const config = await openClientConfig(world);
  const later: string[] = [];
  const sayLater = (text: string) => void later.push(text);
  const open = async (targets: number) =>
    stack.use(await openBuilder({ sayLater, ...world }, { jobs: jobs(targets) }));
  const early = address === undefined ? undefined : await open(0);
  const list = wantedList(flags);
  const onlyShown = values.print || list !== undefined;
  const told = early ? undefined : await openDefinitions(progress, onlyShown, world);
  const wanted = namedFiles(values.file, world.env);
  const files = early
    ? await readAround(address ?? "", wanted, { builder: early, config, progress }, world)
    : await readTold(
        wanted,
        told && { ...told, named: values.file.length === 0 && wanted.length > 0 },
        world,
      );
  const definition = await readBakeFiles(files, readOptions(flags, commandContext, world));
  if (list) {
    world.stdout.write(listText(definition, list));
    return 0;
  }
  const overrides = parseOverrides(wantedOverrides(flags), definition.targets, world.env);
  const resolved = resolveBake(definition, names, overrides);
  if (values.print) {
    world.stdout.write(bakeJson(resolved));
    return 0;
  }
  const bake = address === undefined ? resolved : atAddress(resolved, address);
  const planOptions = {
    env: world.env,
    cwd: world.cwd,
    stdoutIsTerminal: world.stdout.isTerminal,
    proxyArgs: config.proxyArgs(),
    ...(values["proxy-network"] ? { proxyNetwork: true } : {}),
  };
  const planned = planTargets(bake, planOptions, stack);
  await checkAllowed(planned, values.allow, world);
  const metadataFile = outputFile("--metadata-file", values["metadata-file"], world.cwd);
  const builder = early ?? (await open(planned.size));
  const opened = told ?? (await openBuildDisplay(progress, world));
  const finished = await runTargets({ planned, builder, opened, config, later }, world);
  if (metadataFile !== undefined)
    writeFileAtomic(metadataFile, await metadataJson(finished, world), 0o644);
  return sayAnswers(finished, bake, world);
}

/** `--list`, and its two forms of before. */
function wantedList({ values }: Flags<BakeFlags>): ListSpec | undefined {
  if (values["list-targets"]) return parseList("targets");
  return parseList(values["list-variables"] ? "variables" : values.list);
}

/** buildx shows which files it reads as its first step; where nothing is built it stands alone, under no builder's name. */
async function openDefinitions(
  progress: ProgressMode,
  alone: boolean,
  world: RunWorld,
): Promise<(OpenDisplay & { readonly alone: boolean }) | undefined> {
  if (!standsInForBuildx(world)) return undefined;
  const opened = alone
    ? await openDisplay(progress, world.stderr, world)
    : await openBuildDisplay(progress, world);
  return { ...opened, alone };
}

async function readTold(
  names: readonly string[],
  told: (OpenDisplay & { readonly alone: boolean; readonly named: boolean }) | undefined,
  world: RunWorld,
): Promise<readonly BakeFile[]> {
  let shown: readonly ToldFile[] = names.map((name) => ({ name }));
  let failed = true;
  try {
    const files = await readLocalFiles(names, world.cwd, world);
    shown = files.map(({ name, text }) => ({ name, size: new TextEncoder().encode(text).length }));
    failed = false;
    return files;
  } finally {
    if (told && shown.length > 0)
      tellDefinitions(told.display, { files: shown, named: told.named }, world.now());
    if (told && (failed || told.alone)) told.display.end();
  }
}

/** Most steps at once that many targets alone bring about. */
const mostJobs = 32;

/** Four for each processor as in any build, or one for each target: none waits for others that only sleep. */
function jobsFor(targets: number): number {
  return Math.max(4 * availableParallelism(), Math.min(targets, mostJobs));
}

/** `[ADDRESS [CONTEXT]] [TARGET...]`: addresses are told by their form. */
function splitArguments(args: readonly string[]): {
  readonly address: string | undefined;
  readonly commandContext: string;
  readonly names: readonly string[];
} {
  const [address, context, ...names] = args;
  if (address === undefined || !isRemote(address))
    return { address: undefined, commandContext: "cwd://", names: args };
  if (context === undefined || !isRemote(context))
    return { address, commandContext: "cwd://", names: args.slice(1) };
  return { address, commandContext: context, names };
}

/** Files at an address, and those that are said to be of this machine. */
async function readAround(
  address: string,
  names: readonly string[],
  parts: RemoteParts,
  world: RunWorld,
): Promise<readonly BakeFile[]> {
  const isLocal = (name: string) => name === "-" || name.startsWith("cwd://");
  const local = names.filter(isLocal);
  const there = names.filter((name) => !isLocal(name));
  const files =
    names.length > 0 && there.length === 0
      ? []
      : await readRemoteFiles(address, there, parts, world);
  return [...files, ...(local.length > 0 ? await readLocalFiles(local, world.cwd, world) : [])];
}

function atAddress(bake: ResolvedBake, address: string): ResolvedBake {
  const targets = [...bake.targets].map(
    ([name, target]) =>
      [name, { ...target, fields: remoteFields(target.fields, address) }] as const,
  );
  return { ...bake, targets: new Map(targets) };
}

/** Those that mean the same for both commands, as flags of `kiln build`. */
function sharedFlags({ values, given }: Flags<BakeFlags>): Flags<BuildFlags> {
  const argv = [
    ...(given("progress") ? [`--progress=${values.progress}`] : []),
    ...(given("jobs") ? [`--jobs=${values.jobs}`] : []),
  ];
  return parseFlags(buildFlags, argv, { command: "kiln bake" }).flags;
}

function readOptions(
  flags: Flags<BakeFlags>,
  commandContext: string,
  world: RunWorld,
): FilesOptions {
  const disabled = world.env["BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP"];
  const environment = disabled === "1" || disabled === "true" ? {} : world.env;
  return {
    given: parseKeyValues(flags.values.var, "--var", world.env),
    env: environment,
    readFile: (path) => readBeside(path, world.cwd),
    builtins: {
      BAKE_CMD_CONTEXT: commandContext,
      BAKE_LOCAL_PLATFORM: formatPlatform(hostPlatform(process.arch)),
    },
    ambient: {
      now: world.now(),
      homeDirectory: world.env["HOME"] || homedir(),
      randomBytes: (length) => randomBytes(length),
      limited,
    },
    warn: (message, range) => {
      const line = range.source.text.slice(0, range.start).split("\n").length;
      sayWarning(world, `${range.source.name}:${line}: ${message}`);
    },
  };
}

/** Milliseconds that one search by a regular expression may take. */
const searchPatience = 2000;

/** Only the machine can end a search: it is not interrupted by what runs beside it. */
function limited<T>(work: () => T): T {
  try {
    return runInNewContext("work()", { work }, { timeout: searchPatience }) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    throw new KilnError("BAKE_INVALID", "a regular expression takes too long to search");
  }
}

/** `--set`, and the flags that are short for it, which count first. */
function wantedOverrides({ values, given }: Flags<BakeFlags>): readonly string[] {
  const short: string[] = [];
  if (values.push) short.push("*.push=true");
  if (values.load) short.push("*.load=true");
  if (given("no-cache")) short.push(`*.no-cache=${values["no-cache"]}`);
  if (given("pull")) short.push(`*.pull=${values.pull}`);
  for (const type of ["sbom", "provenance"] as const)
    if (given(type) && values[type] !== "")
      short.push(`*.attest=${attestWord(type, values[type])}`);
  const call = values.check ? "check" : values.call;
  if (call !== "" && call !== "build") short.push(`*.call=${call.replace(/^check\b/, "lint")}`);
  return [...values.set, ...short];
}

function attestWord(type: string, value: string): string {
  const words: Readonly<Record<string, string>> = { true: "", false: ",disabled=true" };
  return `type=${type}${words[value] ?? `,${value}`}`;
}

/** Of every target under its name. */
async function metadataJson(
  finished: ReadonlyMap<string, FinishedBuild>,
  world: RunWorld,
): Promise<string> {
  const all: Record<string, unknown> = {};
  for (const [name, one] of [...finished].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { "buildx.build.warnings": warnings, ...own } = await buildMetadata(one, world);
    all[name] = own;
    if (Array.isArray(warnings)) {
      const before = all["buildx.build.warnings"];
      all["buildx.build.warnings"] = [...(Array.isArray(before) ? before : []), ...warnings];
    }
  }
  return JSON.stringify(all, undefined, 2);
}
