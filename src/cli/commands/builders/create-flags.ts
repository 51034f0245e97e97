// What `kiln create` was asked, read and checked as far as one can without looking at the builder.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { cutPair, KilnError, readCsv } from "../../../base/index.ts";
import {
  hostPlatform,
  normalizePlatform,
  type Platform,
  parsePlatform,
  samePlatform,
} from "../../../formats/oci/index.ts";
import { checkBuilderName } from "../../../remote/store/index.ts";
import { type RunWorld, standsInForBuildx } from "../command.ts";
import { splitWords } from "../shell-split.ts";
import { daemonFiles } from "./create-files.ts";
import { type KnownBuilders, mayAnswer } from "./known-builders.ts";

export interface CreateRequest {
  readonly append: boolean;
  readonly bootstrap: boolean;
  readonly leave: boolean;
  readonly use: boolean;
  readonly name: string | undefined;
  readonly node: string | undefined;
  /** Undefined leaves it to the builder, or to what there is. */
  readonly driver: string | undefined;
  /** A context, an address, or nothing. */
  readonly endpoint: string | undefined;
  readonly platforms: readonly Platform[];
  readonly driverOpts: Readonly<Record<string, string>>;
  /** The daemon's flags; undefined where none were given. */
  readonly flags: readonly string[] | undefined;
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** The daemon's configuration lets steps have the host's network already. */
  readonly hostNetwork: boolean;
  /** What to tell the user: how the words were taken. */
  readonly notes: readonly string[];
}

export interface CreateValues {
  readonly append: boolean;
  readonly bootstrap: boolean;
  readonly leave: boolean;
  readonly use: boolean;
  readonly name: string;
  readonly node: string;
  readonly driver: string;
  readonly "driver-opt": readonly string[];
  readonly "buildkitd-config": string;
  readonly "buildkitd-flags": string;
  readonly config: string;
  readonly platform: readonly string[];
  readonly flagsGiven: boolean;
}

/** Throws `BUILDER_INVALID`, `FLAG_INVALID` and `PLATFORM_INVALID`. */
export function readCreateFlags(
  values: CreateValues,
  argument: string | undefined,
  known: KnownBuilders,
  world: RunWorld,
): CreateRequest {
  const { endpoint, ...meant } = whatIsMeant(values, argument, known);
  const name = meant.name === undefined ? undefined : checkBuilderName(meant.name);
  if (name === "default" || known.contexts.names().includes(name ?? "")) {
    const message = `${name} is a reserved name and cannot be used to identify builder instance`;
    throw new KilnError("BUILDER_INVALID", message, {
      hint: "Names of docker contexts are builders already.",
    });
  }
  const config = values["buildkitd-config"] || values.config;
  const configFile = config === "" ? defaultConfig(known) : resolve(world.cwd, config);
  const daemon = configFile === undefined ? undefined : daemonFiles(configFile);
  // A builder that is there keeps its driver.
  const isNew = name === undefined || known.store.read(name) === undefined;
  const { driver, notes } =
    isNew || values.driver !== ""
      ? chosenDriver(values.driver, endpoint, known, world)
      : { driver: undefined, notes: [] };
  return {
    append: values.append,
    bootstrap: values.bootstrap,
    leave: values.leave,
    use: values.use,
    name,
    node: values.node === "" ? undefined : checkBuilderName(values.node).toLowerCase(),
    driver,
    endpoint,
    platforms: platformsOf(values.platform),
    driverOpts: driverOptsOf(values["driver-opt"]),
    flags: values.flagsGiven ? flagsOf(values["buildkitd-flags"]) : undefined,
    files: daemon?.files ?? {},
    hostNetwork: daemon?.hostNetwork ?? false,
    notes: [...meant.notes, ...notes],
  };
}

/** The word behind `create` is an address or a context; where it is neither, its author meant the builder's name. */
function whatIsMeant(
  values: CreateValues,
  argument: string | undefined,
  known: KnownBuilders,
): {
  readonly name: string | undefined;
  readonly endpoint: string | undefined;
  readonly notes: readonly string[];
} {
  const name = values.name === "" ? undefined : values.name;
  if (
    argument === undefined ||
    argument.includes("://") ||
    known.contexts.names().includes(argument)
  )
    return { name, endpoint: argument, notes: [] };
  const isName = /^[a-zA-Z][a-zA-Z0-9._-]*$/.test(argument);
  if (!isName) {
    const scheme = argument.includes(":") ? argument.slice(0, argument.indexOf(":")) : "";
    throw new KilnError("BUILDER_INVALID", `unrecognized url scheme ${scheme}`, {
      hint: `${argument} is neither a docker context nor an address such as tcp://HOST:PORT or unix:///PATH.`,
    });
  }
  if (name !== undefined) {
    throw new KilnError(
      "BUILDER_INVALID",
      `there is no docker context ${JSON.stringify(argument)}, and it is no address`,
      {
        hint: `The builder is named by --name ${name}; leave ${argument} out, or write an address such as tcp://${argument}:1234.`,
      },
    );
  }
  const note = `${argument} is no docker context and no address: taken as the builder's name. Write: kiln create --name ${argument}`;
  return { name: argument, endpoint: undefined, notes: [note] };
}

function chosenDriver(
  asked: string,
  endpoint: string | undefined,
  known: KnownBuilders,
  world: RunWorld,
): { readonly driver: string | undefined; readonly notes: readonly string[] } {
  const { contexts } = known;
  const engine = mayAnswer(contexts, contexts.current);
  if (
    asked === "docker-container" &&
    endpoint === undefined &&
    !engine &&
    !world.env["DOCKER_HOST"]
  ) {
    const note = `there is no docker engine at ${contexts.endpoint(contexts.current)?.host}: the builder runs in Kiln's own process instead. Write: kiln create --driver embedded`;
    return { driver: "embedded", notes: [note] };
  }
  if (asked !== "") return { driver: asked, notes: [] };
  if (endpoint !== undefined) {
    const isContext = contexts.names().includes(endpoint);
    return { driver: isContext ? "docker-container" : "remote", notes: [] };
  }
  if (world.env["BUILDKIT_HOST"]) return { driver: "remote", notes: [] };
  return standsInForBuildx(world) && (engine || world.env["DOCKER_HOST"])
    ? { driver: "docker-container", notes: [] }
    : { driver: undefined, notes: [] };
}

function platformsOf(values: readonly string[]): readonly Platform[] {
  const host = hostPlatform(process.arch);
  const all = values
    .flatMap((value) => value.split(","))
    .filter((text) => text.trim() !== "")
    .map((text) => normalizePlatform(parsePlatform(text.trim(), host)));
  return all.filter((one, at) => all.findIndex((other) => samePlatform(one, other)) === at);
}

function driverOptsOf(values: readonly string[]): Readonly<Record<string, string>> {
  const pairs = values.flatMap(readCsv).map((field) => {
    const pair = cutPair(field);
    if (pair) return pair;
    throw new KilnError("FLAG_INVALID", `invalid value ${JSON.stringify(field)}, expecting k=v`, {
      hint: "Write --driver-opt KEY=VALUE.",
    });
  });
  return Object.fromEntries(pairs);
}

function flagsOf(text: string): readonly string[] {
  const words = splitWords(text);
  if (words) return words;
  throw new KilnError(
    "FLAG_INVALID",
    "failed to parse buildkit flags: EOF found when expecting closing quote",
  );
}

/** The configuration for daemons where none is named: buildkitd.default.toml beside the builders. */
function defaultConfig(known: KnownBuilders): string | undefined {
  const file = join(known.store.directory, "buildkitd.default.toml");
  try {
    readFileSync(file);
    return file;
  } catch {
    return undefined;
  }
}
