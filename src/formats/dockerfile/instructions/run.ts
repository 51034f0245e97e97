// RUN: runs a command on top of the stage so far.
import { closest } from "../../../base/index.ts";
import { type CommandLine, commandWords, inlineFiles } from "./command-line.ts";
import { parseDevice, type RunDevice } from "./device.ts";
import { readFlags, usedFlags } from "./flags.ts";
import { type ExpandWord, type InstructionBase, Mistake, type Request } from "./instruction.ts";
import { parseMount, precheckMount, type RunMount } from "./mount.ts";

const networks = ["default", "none", "host"] as const;
const securities = ["sandbox", "insecure"] as const;

export type RunNetwork = (typeof networks)[number];
export type RunSecurity = (typeof securities)[number];

/** `RUN [flags] <line>` or `RUN [flags] ["word", ...]`. */
export interface RunInstruction extends InstructionBase, CommandLine {
  readonly kind: "run";
  /** Names of the flags that were given. */
  readonly flagsUsed: readonly string[];
  /** `--mount` values as written; `readMounts` makes mounts of them. */
  readonly mounts: readonly string[];
  readonly network: RunNetwork;
  readonly security: RunSecurity;
  readonly devices: readonly RunDevice[];
}

const flagTable = {
  mount: "list",
  network: "text",
  security: "text",
  device: "list",
} as const;

export function parseRun(request: Request): RunInstruction {
  const flags = readFlags(request, flagTable);
  const flagsUsed = usedFlags(request, flagTable);
  for (const mount of flags.mount) precheckMount(mount);
  return {
    kind: "run",
    keyword: request.node.keyword,
    code: request.code,
    lines: request.node.lines,
    comments: request.node.comments,
    command: commandWords(request, request.args),
    shell: !request.node.json,
    files: inlineFiles(request),
    flagsUsed,
    mounts: flags.mount,
    network: flagsUsed.includes("network")
      ? oneOf(networks, flags.network, "network mode")
      : "default",
    security: flagsUsed.includes("security")
      ? oneOf(securities, flags.security, "security mode")
      : "sandbox",
    devices: flags.device.map(parseDevice),
  };
}

/** The step's mounts, variables in their options replaced. Throws a `Mistake` or what `expand` throws. */
export function readMounts(run: RunInstruction, expand: ExpandWord): readonly RunMount[] {
  return run.mounts.map((text) => parseMount(text, expand));
}

function oneOf<const Known extends string>(
  known: readonly Known[],
  value: string,
  what: string,
): Known {
  const found = known.find((one) => one === value);
  if (found !== undefined) return found;
  const near = closest(value, known);
  const hint = near === undefined ? `Use one of ${known.join(", ")}.` : `Did you mean ${near}?`;
  throw new Mistake(`invalid ${what}: ${JSON.stringify(value)}`, { word: value, hint });
}
