// From the flags of `kiln build` to what is asked of the builder; every mistake is found before any work, all at once.
import type { Attrs, ExportRequest, LentAgent, StepResources } from "../../../api/index.ts";
import type { Bytes } from "../../../base/index.ts";
import type { Definition } from "../../../formats/llb/index.ts";
import { formatPlatform, hostPlatform } from "../../../formats/oci/index.ts";
import {
  type CallSpec,
  type Flags,
  parseAnnotations,
  parseBuildContexts,
  parseKeyValues,
  parsePlatforms,
  parseSecrets,
  parseSshSpecs,
  parseTags,
  type SecretSpec,
} from "../../flags/index.ts";
import type { ProgressMode } from "../../progress/index.ts";
import { standsInForBuildx } from "../command.ts";
import { buildxMistakes, cacheMistakes } from "../plugin/buildx-checks.ts";
import { wantedCaches } from "./caches.ts";
import { callAttrs } from "./call.ts";
import {
  attestAttrs,
  type ExplainMode,
  prefixed,
  refuseUnsupported,
  stepAttrs,
  wantedArchCheck,
  wantedArgs,
  wantedCall,
  wantedEntitlements,
  wantedExplanation,
  wantedJobs,
  wantedPlan,
  wantedPlatforms,
  wantedProgress,
  wantedResources,
} from "./choices.ts";
import type { BuildFlags } from "./flags.ts";
import { createChecker, throwAll } from "./mistakes.ts";
import { findNamedContexts } from "./named-contexts.ts";
import {
  exportRequest,
  outputMistakes,
  type Receiver,
  receiverOf,
  wantedOutputs,
} from "./outputs.ts";
import { checkSecrets, findSources, outputFile } from "./sources.ts";
import { openAgents } from "./ssh-agents.ts";
import type { StdinSource } from "./stdin.ts";

/** Everything that a build needs from this side. */
export interface BuildPlan {
  readonly attrs: Attrs;
  readonly exporters: readonly ExportRequest[];
  readonly cacheImports: readonly ExportRequest[];
  readonly cacheExports: readonly ExportRequest[];
  /** Where the exporter of the same index delivers; undefined where it delivers by itself. */
  readonly receivers: readonly (Receiver | undefined)[];
  /** Nobody said where the result is to go. */
  readonly undirected: boolean;
  /** Shared directories by name: `context`, `dockerfile`, named contexts. Absolute. */
  readonly directories: ReadonlyMap<string, string>;
  /** OCI layouts that named contexts are of, by the name they are lent under. Absolute. */
  readonly layouts: ReadonlyMap<string, string>;
  /** What is sent once, by id: an archive on standard input. */
  readonly uploads: ReadonlyMap<string, Bytes>;
  /** Definitions that go with the request: where a Dockerfile behind a URL is. */
  readonly inputs: Readonly<Record<string, Definition>>;
  readonly secrets: readonly SecretSpec[];
  readonly agents: ReadonlyMap<string, LentAgent>;
  readonly entitlements: readonly string[];
  readonly resources: StepResources;
  readonly progress: ProgressMode;
  readonly quiet: boolean;
  readonly keepGoing: boolean;
  readonly proxyNetwork: boolean;
  /** Steps that run at once; undefined leaves it to the builder. */
  readonly jobs: number | undefined;
  readonly expectCached: boolean;
  /** Build twice and compare. */
  readonly verify: boolean;
  readonly explain: ExplainMode | undefined;
  readonly call: CallSpec | undefined;
  readonly checkArch: "warn" | "error" | undefined;
  /** What would be done is wanted, not the doing of it. */
  readonly forecast: ExplainMode | undefined;
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
  /** Whatever the flags say. */
  readonly proxyNetwork?: boolean;
  /** What `-f -` or `-` found on standard input; undefined where neither asked for it. */
  readonly stdin: StdinSource | undefined;
  /** Named contexts may be targets of the same bake. */
  readonly linked?: boolean;
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
  const standsIn = standsInForBuildx({ env });
  if (standsIn)
    check.run(() => throwAll(buildxMistakes(flags, context, options.linked ? {} : contexts)));
  const sources = check.run(() => findSources(context, values.file, options));
  const others = check.run(() => findNamedContexts(contexts, options.cwd));
  const secrets = check.run(() => checkSecrets(parseSecrets(values.secret), options)) ?? [];
  const agents = check.run(() => openAgents(parseSshSpecs(values.ssh), options)) ?? new Map();
  const resources = check.run(() => wantedResources(flags)) ?? {};
  const progress = check.run(() => wantedProgress(flags, env)) ?? "auto";
  const jobs = check.run(() => wantedJobs(flags, env));
  const explain = check.run(() => wantedExplanation(flags));
  const checkArch = check.run(() => wantedArchCheck(flags));
  const forecast = check.run(() => wantedPlan(flags));
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
    // Answers are not attested to.
    ...attestAttrs(flags, call ? {} : env),
    ...(call ? callAttrs(call) : {}),
    ...(platforms.length > 0 ? { platform: platforms.map(formatPlatform).join(",") } : {}),
    ...prefixed("build-arg:", buildArgs),
    ...prefixed("label:", labels),
  }));
  const caches = check.run(() => wantedCaches(flags, { env, cwd: options.cwd }));
  if (standsIn && caches) {
    check.run(() => throwAll(cacheMistakes(caches.cacheImports, "importer")));
    check.run(() => throwAll(cacheMistakes(caches.cacheExports, "exporter")));
  }
  check.done();
  // A question has an answer and no result to deliver.
  const delivered = call || forecast ? [] : outputs.filter(({ type }) => type !== "cacheonly");
  return {
    attrs: attrs ?? {},
    cacheImports: caches?.cacheImports ?? [],
    cacheExports: call || forecast ? [] : (caches?.cacheExports ?? []),
    exporters: delivered.map((output) => exportRequest(output, tags, annotations)),
    receivers: delivered.map((output) => receiverOf(output, options.cwd)),
    undirected: delivered.length > 0 && values.output.length + +values.push + +values.load === 0,
    directories: new Map([...(sources?.directories ?? []), ...(others?.directories ?? [])]),
    layouts: others?.layouts ?? new Map(),
    uploads: sources?.uploads ?? new Map(),
    inputs: sources?.inputs ?? {},
    secrets,
    agents,
    entitlements: wantedEntitlements(flags),
    resources,
    progress,
    // What the environment says of progress asks for no answer.
    quiet: values.quiet || values.progress === "quiet",
    keepGoing: values["keep-going"],
    proxyNetwork: values["proxy-network"] || options.proxyNetwork === true,
    jobs,
    expectCached: values["expect-cached"],
    verify: values.verify,
    explain,
    call,
    forecast,
    checkArch,
    dockerfile: sources?.dockerfile ?? "Dockerfile",
    iidFile,
    metadataFile,
  };
}
