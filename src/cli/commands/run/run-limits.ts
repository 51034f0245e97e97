// What `kiln run` says of a container besides its program: limits, names of hosts, files with variables.
import { readFileSync } from "node:fs";
import type { RunImageRequest } from "../../../engine/engine.ts";
import { invalidValue, parseExtraHosts, parseKeyValues, parseUlimits } from "../../flags/index.ts";
import { namedFileError } from "../build/named-file.ts";
import type { RunWorld } from "../command.ts";

/** The values of the flags; zero and empty is not given. */
export interface LimitValues {
  readonly "add-host": readonly string[];
  readonly "cpu-shares": number;
  readonly cpus: string;
  readonly "cpuset-cpus": string;
  readonly hostname: string;
  readonly memory: number;
  readonly "shm-size": number;
  readonly ulimit: readonly string[];
}

/** Lines of `NAME=VALUE`, or `NAME` whose value is the environment's; `#` begins a comment. */
export function readEnvFile(file: string, env: RunWorld["env"]): Readonly<Record<string, string>> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw namedFileError(error, `reading ${file}`);
  }
  const lines = text.split(/\r?\n/).map((line) => line.trimStart());
  const said = lines.filter((line) => line !== "" && !line.startsWith("#"));
  return parseKeyValues(said, "--env-file", env);
}

/** Of the container, as docker reads them. Throws `FLAG_INVALID`. */
export function limitsOf(values: LimitValues): NonNullable<RunImageRequest["limits"]> {
  const hosts = parseExtraHosts(values["add-host"]).map((text) => {
    const [host = "", ip = ""] = text.split("=");
    return { host, ip };
  });
  const ulimits = parseUlimits(values.ulimit).map((text) => {
    const [name = "", limits = ""] = text.split("=");
    const [soft, hard] = limits.split(":").map(Number);
    return { name, soft: soft ?? -1, hard: hard ?? -1 };
  });
  const resources = {
    ...(values.memory > 0 ? { memory: values.memory } : {}),
    ...(values["cpu-shares"] > 0 ? { cpuShares: values["cpu-shares"] } : {}),
    ...(values.cpus === "" ? {} : cpuTime(values.cpus)),
    ...(values["cpuset-cpus"] === "" ? {} : { cpusetCpus: values["cpuset-cpus"] }),
  };
  return {
    ...(values.hostname === "" ? {} : { hostname: values.hostname }),
    ...(hosts.length > 0 ? { extraHosts: hosts } : {}),
    ...(ulimits.length > 0 ? { ulimits } : {}),
    ...(values["shm-size"] > 0 ? { shmSize: values["shm-size"] } : {}),
    ...(Object.keys(resources).length > 0 ? { resources } : {}),
  };
}

/** Of each tenth of a second, as docker does. */
const cpuPeriod = 100_000;

function cpuTime(text: string): { readonly cpuPeriod: number; readonly cpuQuota: number } {
  const count = Number(text);
  if (/^\d*\.?\d+$/.test(text) && count > 0)
    return { cpuPeriod, cpuQuota: Math.round(count * cpuPeriod) };
  throw invalidValue("--cpus", text, "expected a number such as 1.5");
}
