// From the flags of `kiln build` to what is asked of the builder; every mistake is found before any work, all at once.
import type { Attrs, ExportRequest } from "../../api/index.ts";
import { closest, isKilnError, KilnError } from "../../base/index.ts";
import { formatPlatform, hostPlatform, type Platform } from "../../formats/oci/index.ts";
import {
  type CallSpec,
  type Flags,
  parseAnnotations,
  parseBool,
  parseBuildContexts,
  parseCall,
  parseExtraHosts,
  parseKeyValues,
  parsePlatforms,
  parseSecrets,
  parseTags,
  parseUlimits,
  type SecretSpec,
} from "../flags/index.ts";
import { type ProgressMode, progressModes } from "../progress/index.ts";
import { type BuildFlags, unsupportedFlags } from "./build-flags.ts";
import {
  exportRequest,
  outputMistakes,
  type Receiver,
  receiverOf,
  wantedOutputs,
} from "./build-outputs.ts";
import { checkSecrets, findNamedContexts, findSources, outputFile } from "./build-sources.ts";

/** Everything that a build needs from this side. */
export interface BuildPlan {
  readonly attrs: Attrs;
  readonly exporters: readonly ExportRequest[];
  /** Where the exporter of the same index delivers; undefined where it delivers by itself. */
  readonly receivers: readonly (Receiver | undefined)[];
  /** Shared directories by name: `context`, `dockerfile`, named contexts. Absolute. */
  readonly directories: ReadonlyMap<string, string>;
  readonly secrets: readonly SecretSpec[];
  readonly progress: ProgressMode;
  readonly quiet: boolean;
  readonly call: CallSpec | undefined;
  /** Path as the user knows it, for messages. */
  readonly dockerfile: string;
  readonly iidFile: string | undefined;
  readonly metadataFile: string | undefined;
}

export interface PlanOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Standard output is a terminal: no archive is written there. */
  readonly stdoutIsTerminal: boolean;
  /** Build arguments for proxies, from the client's configuration. */
  readonly proxyArgs: Readonly<Record<string, string>>;
  /** Directory that holds the Dockerfile read from standard input, when `-f -` or `-` asked for it. */
  readonly stdinDirectory: string | undefined;
}

/** The whole plan, or all mistakes in one `KilnError`. */
export function planBuild(
  flags: Flags<BuildFlags>,
  context: string,
  options: PlanOptions,
): BuildPlan {
  const check = createChecker();
  const { values } = flags;
  const host = hostPlatform(process.arch);
  check.run(() => refuseUnsupported(flags));
  const env = options.env;
  const platforms = check.run(() => parsePlatforms(wantedPlatforms(flags, env), host)) ?? [];
  const tags = values.tag.flatMap((tag) => check.run(() => parseTags([tag])) ?? []);
  const annotations = check.run(() => parseAnnotations(values.annotation, host)) ?? [];
  const outputs = check.run(() => wantedOutputs(values)) ?? [];
  // Bad tags have been told: that there is none for the push would be a second word about the same mistake.
  const named = values.tag.length > 0 ? ["given"] : [];
  check.run(() => throwAll(outputMistakes(outputs, { ...options, tags: named, platforms })));
  const call = check.run(() => wantedCall(flags));
  const contexts = check.run(() => parseBuildContexts(values["build-context"])) ?? {};
  const sources = check.run(() => findSources(context, values.file, options));
  const others = check.run(() => findNamedContexts(contexts, options.cwd));
  const secrets = check.run(() => checkSecrets(parseSecrets(values.secret), options.cwd)) ?? [];
  const progress = check.run(() => wantedProgress(flags, env)) ?? "auto";
  const iidFile = check.run(() => outputFile("--iidfile", values.iidfile, options.cwd));
  const metadataFile = check.run(() =>
    outputFile("--metadata-file", values["metadata-file"], options.cwd),
  );
  const buildArgs = check.run(() => wantedArgs(values["build-arg"], options)) ?? {};
  const labels = check.run(() => parseKeyValues(values.label, "--label", undefined)) ?? {};
  const attrs = check.run(() => ({
    ...sources?.attrs,
    ...others?.attrs,
    ...stepAttrs(flags),
    ...(platforms.length > 0 ? { platform: platforms.map(formatPlatform).join(",") } : {}),
    ...prefixed("build-arg:", buildArgs),
    ...prefixed("label:", labels),
  }));
  check.done();
  const delivered = outputs.filter(({ type }) => type !== "cacheonly");
  return {
    attrs: attrs ?? {},
    exporters: delivered.map((output) => exportRequest(output, tags, annotations)),
    receivers: delivered.map((output) => receiverOf(output, options.cwd)),
    directories: new Map([...(sources?.directories ?? []), ...(others?.directories ?? [])]),
    secrets,
    progress,
    quiet: values.quiet,
    call,
    dockerfile: sources?.dockerfile ?? "Dockerfile",
    iidFile,
    metadataFile,
  };
}

interface Checker {
  /** Runs a check; a `KilnError` is kept for later. */
  run<T>(check: () => T): T | undefined;
  /** Throws all that was kept as one error. */
  done(): void;
}

function createChecker(): Checker {
  const mistakes: KilnError[] = [];
  return {
    run(check) {
      try {
        return check();
      } catch (error) {
        if (!isKilnError(error)) throw error;
        mistakes.push(error, ...error.others);
        return undefined;
      }
    },
    done() {
      const [first, ...others] = mistakes;
      if (!first) return;
      if (others.length === 0) throw first;
      const { code, message, cause, hint, at, details } = first;
      throw new KilnError(code, message, {
        others,
        details,
        ...(cause === undefined ? {} : { cause }),
        ...(hint === undefined ? {} : { hint }),
        ...(at === undefined ? {} : { at }),
      });
    },
  };
}

function refuseUnsupported(flags: Flags<BuildFlags>): void {
  const given = (Object.keys(unsupportedFlags) as (keyof BuildFlags)[]).filter((name) =>
    flags.given(name),
  );
  // `--provenance=false` and `--sbom=false` ask for what is done anyway.
  for (const name of ["provenance", "sbom"] as const) {
    const value = flags.values[name];
    if (flags.given(name) && parseBool(value) !== false && value !== "") given.push(name);
  }
  const errors = given.map(
    (name) =>
      new KilnError("UNSUPPORTED", `--${name} is not supported yet`, {
        hint: unsupportedFlags[name] ?? "Attestations are not made yet.",
      }),
  );
  throwAll(errors);
}

function throwAll(errors: readonly KilnError[]): void {
  const [first, ...others] = errors;
  if (!first) return;
  throw new KilnError(first.code, first.message, {
    others,
    ...(first.hint === undefined ? {} : { hint: first.hint }),
  });
}

function wantedPlatforms(flags: Flags<BuildFlags>, env: PlanOptions["env"]): readonly string[] {
  const standard = env["DOCKER_DEFAULT_PLATFORM"];
  if (flags.given("platform") || !standard) return flags.values.platform;
  return [standard];
}

function wantedProgress(
  { values, given }: Flags<BuildFlags>,
  env: PlanOptions["env"],
): ProgressMode {
  if (values.quiet) {
    if (given("progress") && values.progress !== "quiet" && values.progress !== "auto") {
      throw new KilnError(
        "FLAG_INVALID",
        `--progress=${values.progress} and --quiet contradict each other`,
      );
    }
    return "quiet";
  }
  const word = given("progress") ? values.progress : env["BUILDKIT_PROGRESS"] || values.progress;
  const mode = progressModes.find((candidate) => candidate === word);
  if (mode) return mode;
  const near = closest(word, progressModes);
  throw new KilnError(
    "FLAG_INVALID",
    `invalid value ${JSON.stringify(word)} for --progress: no such mode`,
    {
      hint: near === undefined ? `Modes are ${progressModes.join(", ")}.` : `Did you mean ${near}?`,
    },
  );
}

function wantedCall({ values, given }: Flags<BuildFlags>): CallSpec | undefined {
  const text = given("print") ? values.print : values.call;
  if (values.check && given("call") && values.call !== "check" && values.call !== "lint") {
    throw new KilnError("FLAG_INVALID", `--check and --call=${values.call} contradict each other`);
  }
  return parseCall(values.check ? "check" : text);
}

function wantedArgs(
  given: readonly string[],
  options: PlanOptions,
): Readonly<Record<string, string>> {
  const args = parseKeyValues(given, "--build-arg", options.env);
  const epoch = options.env["SOURCE_DATE_EPOCH"];
  return {
    ...options.proxyArgs,
    // buildx forwards it so that builds are reproducible wherever the caller's build is.
    ...(epoch ? { SOURCE_DATE_EPOCH: epoch } : {}),
    ...args,
  };
}

function stepAttrs({ values, given }: Flags<BuildFlags>): Attrs {
  const hosts = parseExtraHosts(values["add-host"]);
  const ulimits = parseUlimits(values.ulimit);
  if (!["", "default", "host", "none"].includes(values.network)) {
    throw new KilnError(
      "FLAG_INVALID",
      `invalid value ${JSON.stringify(values.network)} for --network: no such mode`,
      {
        hint: "Modes are default, host and none.",
      },
    );
  }
  return {
    ...(values.target === "" ? {} : { target: values.target }),
    ...(values["no-cache-filter"].length > 0
      ? { "no-cache": values["no-cache-filter"].join(",") }
      : {}),
    ...(values["no-cache"] ? { "no-cache": "" } : {}),
    ...(values.pull ? { "image-resolve-mode": "pull" } : {}),
    ...(["host", "none"].includes(values.network) ? { "force-network-mode": values.network } : {}),
    ...(hosts.length > 0 ? { "add-hosts": hosts.join(",") } : {}),
    ...(ulimits.length > 0 ? { ulimit: ulimits.join(",") } : {}),
    ...(values["shm-size"] > 0 ? { "shm-size": String(values["shm-size"]) } : {}),
    ...(given("cgroup-parent") ? { "cgroup-parent": values["cgroup-parent"] } : {}),
  };
}

function prefixed(prefix: string, record: Readonly<Record<string, string>>): Attrs {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [prefix + key, value]));
}
