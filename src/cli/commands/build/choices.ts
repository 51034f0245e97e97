// What single flags of `kiln build` and the environment choose together: platforms, progress, calls, attributes of steps.
import type { Attrs, StepResources } from "../../../api/index.ts";
import { closest, KilnError, sortedPairs, writeCsv } from "../../../base/index.ts";
import {
  attestShorthand,
  type CallSpec,
  type Flags,
  parseAttests,
  parseCall,
  parseExtraHosts,
  parseKeyValues,
  parseResources,
  parseUlimits,
  resourceNames,
} from "../../flags/index.ts";
import { type ProgressMode, progressModes } from "../../progress/index.ts";
import { attestsByDefault, defaultProvenance } from "../builders/default-attestations.ts";
import { type BuildFlags, unsupportedFlags } from "./flags.ts";
import { throwAll } from "./mistakes.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws `UNSUPPORTED` for flags whose work the builder cannot do: they are never ignored. */
export function refuseUnsupported(flags: Flags<BuildFlags>): void {
  const given = (Object.keys(unsupportedFlags) as (keyof BuildFlags)[]).filter((name) =>
    flags.given(name),
  );
  const errors = given.map(
    (name) =>
      new KilnError("UNSUPPORTED", `--${name} is not supported yet`, {
        hint: unsupportedFlags[name] ?? "Leave it out.",
      }),
  );
  throwAll(errors);
}

/** The values of --platform, or DOCKER_DEFAULT_PLATFORM. */
export function wantedPlatforms(flags: Flags<BuildFlags>, env: Environment): readonly string[] {
  const standard = env["DOCKER_DEFAULT_PLATFORM"];
  if (flags.given("platform") || !standard) return flags.values.platform;
  return [standard];
}

/** How progress is shown: --quiet, --progress, BUILDKIT_PROGRESS, in this order. */
export function wantedProgress(
  { values, given }: Flags<BuildFlags>,
  env: Environment,
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

/** What --call and --check ask instead of a build. */
export function wantedCall({ values, given }: Flags<BuildFlags>): CallSpec | undefined {
  const text = given("print") ? values.print : values.call;
  if (values.check && given("call") && values.call !== "check" && values.call !== "lint") {
    throw new KilnError("FLAG_INVALID", `--check and --call=${values.call} contradict each other`);
  }
  return parseCall(values.check ? "check" : text);
}

/** Steps at once: --jobs, else KILN_JOBS. */
export function wantedJobs(flags: Flags<BuildFlags>, env: Environment): number | undefined {
  const variable = env["KILN_JOBS"];
  if (!flags.given("jobs") && !variable) return undefined;
  const jobs = flags.given("jobs") ? flags.values.jobs : Number(variable);
  if (Number.isSafeInteger(jobs) && jobs > 0) return jobs;
  const [where, value] = flags.given("jobs") ? ["--jobs", `${jobs}`] : ["KILN_JOBS", variable];
  throw new KilnError(
    "FLAG_INVALID",
    `invalid value ${JSON.stringify(value)} for ${where}: must be a number above 0`,
  );
}

/** How it is told why steps ran. */
export type ExplainMode = "text" | "json";

/** What --explain asks; undefined where it is not given, or `--explain=false`. */
export function wantedExplanation({ values, given }: Flags<BuildFlags>): ExplainMode | undefined {
  const word = values.explain;
  if (!given("explain") || word === "false") return undefined;
  if (word === "text" || word === "true") return "text";
  if (word !== "json") {
    throw new KilnError(
      "FLAG_INVALID",
      `invalid value ${JSON.stringify(word)} for --explain: no such form`,
      { hint: "Forms are text and json." },
    );
  }
  if (values.quiet || values.output.some((one) => one === "-" || /(^|,)dest=-(,|$)/.test(one))) {
    throw new KilnError(
      "FLAG_INVALID",
      "--explain=json writes to standard output, and so does another flag",
      { hint: "Use --explain=text, which goes to standard error, or write the output to a file." },
    );
  }
  return "json";
}

/** What --check-arch asks; undefined where it is not given, or `--check-arch=false`. */
export function wantedArchCheck({
  values,
  given,
}: Flags<BuildFlags>): "warn" | "error" | undefined {
  const word = values["check-arch"];
  if (!given("check-arch") || word === "false") return undefined;
  if (word === "warn" || word === "error") return word;
  if (word === "true") return "error";
  throw new KilnError(
    "FLAG_INVALID",
    `invalid value ${JSON.stringify(word)} for --check-arch: no such mode`,
    { hint: "Modes are warn and error." },
  );
}

/** What --plan asks; undefined where it is not given, or `--plan=false`. */
export function wantedPlan({ values, given }: Flags<BuildFlags>): ExplainMode | undefined {
  if (!given("plan") || values.plan === "false") return undefined;
  if (values.plan === "text" || values.plan === "true") return "text";
  if (values.plan === "json") return "json";
  throw new KilnError(
    "FLAG_INVALID",
    `invalid value ${JSON.stringify(values.plan)} for --plan: no such form`,
    { hint: "Forms are text and json." },
  );
}

/** Build arguments of the flags, the environment and the client's configuration; flags win. */
export function wantedArgs(
  given: readonly string[],
  options: { readonly env: Environment; readonly proxyArgs: Readonly<Record<string, string>> },
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

/** Frontend attributes that decide how steps run. */
export function stepAttrs({ values, given }: Flags<BuildFlags>): Attrs {
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

/** What the flags allow steps beyond the sandbox. */
export function wantedEntitlements({ values }: Flags<BuildFlags>): readonly string[] {
  // The last one is about this side's files only.
  const allowed = values.allow.filter((one) => one !== "buildx.local.delete");
  // Who gives every step the machine's network has allowed it.
  return values.network === "host" ? [...allowed, "network.host"] : allowed;
}

/** The limits of --resource, and of the flags that `docker build` has for each. */
export function wantedResources({ values, given }: Flags<BuildFlags>): StepResources {
  const single = resourceNames
    .filter((name) => given(name))
    .map((name) => `${name}=${values[name]}`);
  return parseResources([...single, ...values.resource]);
}

/**
 * Frontend attributes for the attestations that are wanted, or that the environment's program makes unasked; of several
 * words about one type the last counts.
 */
export function attestAttrs({ values, given }: Flags<BuildFlags>, env: Environment): Attrs {
  const words = [...values.attest];
  for (const type of ["provenance", "sbom"] as const)
    if (given(type) && values[type] !== "") words.push(attestShorthand(type, values[type]));
  const attrs: Record<string, string> = {};
  const wanted = parseAttests(words);
  if (!wanted.some(({ type }) => type === "provenance") && attestsByDefault({ env }))
    attrs["attest:provenance"] = defaultProvenance;
  for (const { type, disabled, attrs: options } of wanted) {
    if (disabled) delete attrs[`attest:${type}`];
    else attrs[`attest:${type}`] = writeCsv(sortedPairs(options));
  }
  return attrs;
}

/** The record with `prefix` before every key. */
export function prefixed(prefix: string, record: Readonly<Record<string, string>>): Attrs {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [prefix + key, value]));
}
