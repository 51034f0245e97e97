// RUN: a process on top of the files so far.
import type { RunOptions } from "../../llb/index.ts";
import { type RunInstruction, type RunMount, readMounts } from "../instructions/index.ts";
import type { Variables } from "./env.ts";
import type { ConvertEnv, Converter } from "./environment.ts";
import { recordedStep } from "./history.ts";
import { proxyEnvOf } from "./proxy.ts";
import { runScript } from "./run-heredoc.ts";
import { convertMounts } from "./run-mounts.ts";
import { commandLine, type Stage } from "./stage.ts";
import { nextStep } from "./step.ts";
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
  const naming = {
    ...env.naming,
    showPlatform: env.naming.showPlatform && stage.files.ownPlatform !== undefined,
  };
  const name = runName(script.words, masked, env);
  const { stage: counted, constraints } = nextStep(stage, name, run, { ...env, naming });
  const converted = convertMounts(stage, run, mounts, env);
  const files = counted.files.run(args, {
    ...buildSettings(env),
    ...constraints,
    description: { "com.docker.dockerfile.v1.command": run.code },
    ...(env.ignoreCache ? { ignoreCache: true } : {}),
    mounts: [...script.mounts, ...converted.mounts, ...sharedMemory(env)],
    secrets: converted.secrets,
    ssh: converted.ssh,
    network: networkOf(run, env),
    security: run.security,
    devices: run.devices.map(({ name, required }) => ({ name, optional: !required })),
  });
  return recordedStep({ ...counted, files }, `RUN ${historyWords(stage, args)}`);
};

/** Variables with marks in the place of secrets, whose values are nowhere yet. */
function withMasks(variables: Variables, mounts: readonly RunMount[]): Variables {
  const secrets = new Set(
    mounts.flatMap(({ type, env }) => (type === "secret" && env !== undefined ? [env] : [])),
  );
  return {
    get: (name) => (secrets.has(name) ? "****" : variables.get(name)),
    keys: () => [...variables.keys(), ...secrets],
  };
}

/** The instruction for people: only variables that are set are replaced, quotes stay. */
function runName(words: string, variables: Variables, env: ConvertEnv): string {
  try {
    return withUpperKeyword(env.expand(words, variables, { rawQuotes: true, skipUnset: true }));
  } catch {
    return withUpperKeyword(words);
  }
}

function buildSettings({ options }: ConvertEnv): RunOptions {
  const { extraHosts, ulimits, hostname, cgroupParent, buildArgs = {} } = options;
  const proxyEnv = proxyEnvOf(buildArgs);
  return {
    ...(proxyEnv === undefined ? {} : { proxyEnv }),
    ...(extraHosts === undefined ? {} : { extraHosts }),
    ...(ulimits === undefined ? {} : { ulimits }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(cgroupParent === undefined ? {} : { cgroupParent }),
  };
}

function sharedMemory({ options: { shmSize = 0 } }: ConvertEnv): RunOptions["mounts"] & object {
  return shmSize > 0 ? [{ target: "/dev/shm", tmpfs: { size: shmSize } }] : [];
}

function networkOf(
  { network }: RunInstruction,
  { options }: ConvertEnv,
): "sandbox" | "host" | "none" {
  return network === "default" ? (options.networkMode ?? "sandbox") : network;
}

/** The process's arguments, after the build arguments that it could see: `|1 VERSION=2 /bin/sh -c make`. */
function historyWords(stage: Stage, args: readonly string[]): string {
  const { variables } = stage.files;
  const seen = new Map<string, string>();
  for (const { name, value } of stage.args) seen.set(name, variables.get(name) ?? value ?? "");
  const words = [...seen].map(([name, value]) => `${name}=${value}`);
  return [...(words.length > 0 ? [`|${words.length}`, ...words] : []), ...args].join(" ");
}
