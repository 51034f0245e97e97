// RUN: a process on top of the files so far.
import type { MountSpec, ProxyEnv } from "../../llb/index.ts";
import { type RunInstruction, type RunMount, readMounts } from "../instructions/index.ts";
import type { Variables } from "./env.ts";
import type { ConvertEnv, Converter } from "./environment.ts";
import type { ConvertOptions } from "./options.ts";
import { proxyEnvOf } from "./proxy.ts";
import { runScript } from "./run-heredoc.ts";
import { convertMounts } from "./run-mounts.ts";
import { commandLine, type Stage } from "./stage.ts";
import { describedBy, nextStep } from "./step.ts";
import { withUpperKeyword } from "./step-name.ts";

export const convertRun: Converter<RunInstruction> = (stage, run, env) => {
  const { variables } = stage.files;
  const mounts = readMounts(run, (word) => env.expandNoted(word, stage, run));
  // A process may read any file.
  env.used.add("/");
  const script = runScript(stage, run);
  const args = commandLine(stage, script.args, run.shell);
  const masked = withMasks(variables, mounts);
  // BuildKit: files that never were for a platform do not show one here, though in COPY's name they do.
  const hidden = env.naming.showPlatform && stage.files.ownPlatform === undefined;
  const naming = hidden ? { ...env.naming, showPlatform: false } : env.naming;
  const { name, locations } = nextStep(stage, runName(script.words, masked, env), run, env, naming);
  const converted = convertMounts(stage, run, mounts, script.mounts, env);
  const { runSettings: shared, options } = env;
  stage.files = stage.files.run(args, {
    locations,
    description: describedBy(name, run.code),
    ignoreCache: env.ignoreCache,
    secrets: converted.secrets,
    ssh: converted.ssh,
    network: networkOf(run, env),
    security: run.security,
    devices: run.devices.map(({ name, required }) => ({ name, optional: !required })),
    mounts: converted.mounts.concat(shared.mounts),
    proxyEnv: shared.proxyEnv,
    extraHosts: options.extraHosts,
    ulimits: options.ulimits,
    hostname: options.hostname,
    cgroupParent: options.cgroupParent,
  });
  stage.recordStep(`RUN ${historyWords(stage, args)}`);
};

/** Variables with marks in the place of secrets, whose values are nowhere yet. */
function withMasks(variables: Variables, mounts: readonly RunMount[]): Variables {
  if (!mounts.some(({ env }) => env !== undefined)) return variables;
  const secrets = new Set(
    mounts.flatMap(({ type, env }) => (type === "secret" && env !== undefined ? [env] : [])),
  );
  return {
    get: (name) => (secrets.has(name) ? "****" : variables.get(name)),
    keys: () => [...variables.keys(), ...secrets],
  };
}

const forNames = { rawQuotes: true, skipUnset: true } as const;

/** The instruction for people: only variables that are set are replaced, quotes stay. */
function runName(words: string, variables: Variables, env: ConvertEnv): string {
  try {
    return withUpperKeyword(env.expand(words, variables, forNames));
  } catch {
    return withUpperKeyword(words);
  }
}

/** What the build's caller says of all processes of all stages, beside what is taken from the options as it is. */
export interface RunSettings {
  readonly mounts: readonly MountSpec[];
  readonly proxyEnv: ProxyEnv | undefined;
}

export function runSettings({ buildArgs = {}, shmSize = 0 }: ConvertOptions): RunSettings {
  return {
    mounts: shmSize > 0 ? [{ target: "/dev/shm", tmpfs: { size: shmSize } }] : [],
    proxyEnv: proxyEnvOf(buildArgs),
  };
}

function networkOf(
  { network }: RunInstruction,
  { options }: ConvertEnv,
): "sandbox" | "host" | "none" {
  return network === "default" ? (options.networkMode ?? "sandbox") : network;
}

/** The process's arguments, after the build arguments that it could see: `|1 VERSION=2 /bin/sh -c make`. */
function historyWords(stage: Stage, args: readonly string[]): string {
  if (stage.args.length === 0) return args.join(" ");
  const { variables } = stage.files;
  const seen = new Map<string, string>();
  for (const { name, value } of stage.args.toArray())
    seen.set(name, variables.get(name) ?? value ?? "");
  let words = `|${seen.size}`;
  for (const [name, value] of seen) words += ` ${name}=${value}`;
  return `${words} ${args.join(" ")}`;
}
