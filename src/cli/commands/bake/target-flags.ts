// A target as flags of `kiln build`: a bake plans its builds exactly as that command does.
import { isAbsolute, join } from "node:path";
import { type Entry, entryText, type Fields } from "../../../formats/bake/index.ts";
import { type Flags, parseFlags } from "../../flags/index.ts";
import { type BuildFlags, buildFlags } from "../build/flags.ts";
import { isRemote } from "../build/sources.ts";

/** What a build of a target is asked. */
export interface TargetBuild {
  readonly flags: Flags<BuildFlags>;
  readonly context: string;
}

const localPrefix = "cwd://";

/** The flags of a target's build; `file` says where the Dockerfile is where the target itself does not. */
export function targetFlags(fields: Fields, file: string | undefined): TargetBuild {
  const context = (fields.context ?? ".").replace(localPrefix, "") || ".";
  const argv = [...plainFlags(fields), ...listFlags(fields), ...mapFlags(fields)];
  argv.push(`--file=${file ?? dockerfilePath(fields.dockerfile ?? "Dockerfile", context)}`);
  return { flags: parseFlags(buildFlags, argv, { command: "kiln bake" }).flags, context };
}

/** Dockerfiles are relative to the context, unless they say otherwise. */
function dockerfilePath(dockerfile: string, context: string): string {
  if (dockerfile.startsWith(localPrefix)) return dockerfile.slice(localPrefix.length);
  if (isAbsolute(dockerfile) || /^https?:\/\//.test(dockerfile)) return dockerfile;
  if (isRemote(context)) return dockerfile === "Dockerfile" ? "" : dockerfile;
  return join(context, dockerfile);
}

function plainFlags(fields: Fields): string[] {
  const { network, target, pull, call } = fields;
  return [
    ...(network === undefined ? [] : [`--network=${network}`]),
    ...(target === undefined ? [] : [`--target=${target}`]),
    ...(pull ? ["--pull"] : []),
    ...(fields["no-cache"] ? ["--no-cache"] : []),
    ...(fields["shm-size"] === undefined ? [] : [`--shm-size=${fields["shm-size"]}`]),
    ...(call === undefined ? [] : [`--call=${call}`]),
  ];
}

function listFlags(fields: Fields): string[] {
  const texts = (flag: string, values: readonly string[] = []) =>
    values.map((value) => `--${flag}=${value}`);
  const entries = (flag: string, kind: Parameters<typeof entryText>[0], list?: readonly Entry[]) =>
    texts(
      flag,
      list?.map((entry) => entryText(kind, entry)),
    );
  return [
    ...texts("annotation", fields.annotations),
    ...entries("attest", "attest", fields.attest),
    ...texts("tag", fields.tags),
    ...entries("cache-from", "cache", fields["cache-from"]),
    ...entries("cache-to", "cache", fields["cache-to"]),
    ...entries("secret", "secret", fields.secret),
    ...entries("ssh", "ssh", fields.ssh),
    ...texts("platform", fields.platforms),
    ...entries("output", "output", fields.output),
    ...texts("no-cache-filter", fields["no-cache-filter"]),
    ...texts("ulimit", fields.ulimits),
    ...texts("allow", fields.entitlements),
    ...texts("policy", fields.policy),
  ];
}

function mapFlags(fields: Fields): string[] {
  const pairs = (flag: string, map: Readonly<Record<string, string | null>> = {}) =>
    Object.entries(map).flatMap(([name, value]) =>
      value === null ? [] : [`--${flag}=${name}=${value}`],
    );
  const contexts = Object.entries(fields.contexts ?? {}).map(([name, source]) => [
    name,
    source?.replace(localPrefix, "") ?? null,
  ]);
  const hosts = Object.entries(fields["extra-hosts"] ?? {});
  return [
    ...pairs("build-context", Object.fromEntries(contexts)),
    ...pairs("build-arg", fields.args),
    ...pairs("label", fields.labels),
    ...pairs("resource", fields.resources),
    // A host may have several addresses.
    ...hosts.flatMap(([name, value]) =>
      (value ?? "").split(",").map((address) => `--add-host=${name}:${address}`),
    ),
  ];
}
