// HEALTHCHECK: how to tell whether a container still works.
import { MINIMUM_INTERVAL, parseDuration } from "../duration.ts";
import { commandWords } from "./command-line.ts";
import { readFlags } from "./flags.ts";
import { type InstructionBase, Mistake, type Request, requireArguments } from "./instruction.ts";

/** `HEALTHCHECK [flags] CMD command` or `HEALTHCHECK NONE`. */
export interface HealthcheckInstruction extends InstructionBase {
  readonly kind: "healthcheck";
  /** `["NONE"]`, `["CMD", word, ...]` or `["CMD-SHELL", line]`. */
  readonly test: readonly string[];
  /** Nanoseconds; 0 where not given, as are the next three. */
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
}

const flagTable = {
  interval: "text",
  timeout: "text",
  "start-period": "text",
  "start-interval": "text",
  retries: "text",
} as const;

export function parseHealthcheck(request: Request): HealthcheckInstruction {
  requireArguments(request);
  const [word = "", ...args] = request.args;
  const type = word.toUpperCase();
  const base = {
    kind: "healthcheck",
    keyword: request.node.keyword,
    code: request.code,
    lines: request.node.lines,
    comments: request.node.comments,
  } as const;
  if (type === "NONE") {
    if (args.length > 0)
      throw new Mistake("HEALTHCHECK NONE takes no arguments", { word: args[0] });
    return {
      ...base,
      test: [type],
      interval: 0,
      timeout: 0,
      startPeriod: 0,
      startInterval: 0,
      retries: 0,
    };
  }
  const flags = readFlags(request, flagTable);
  if (type !== "CMD") {
    throw new Mistake(`Unknown type ${JSON.stringify(type)} in HEALTHCHECK (try CMD)`, {
      word,
      hint: `Write HEALTHCHECK CMD ${request.args.join(" ")}.`,
    });
  }
  const command = commandWords(request, args);
  if (command.length === 0) throw new Mistake("Missing command after HEALTHCHECK CMD", { word });
  return {
    ...base,
    test: [request.node.json ? "CMD" : "CMD-SHELL", ...command],
    interval: readInterval("interval", flags.interval),
    timeout: readInterval("timeout", flags.timeout),
    startPeriod: readInterval("start-period", flags["start-period"]),
    startInterval: readInterval("start-interval", flags["start-interval"]),
    retries: readRetries(flags.retries),
  };
}

function readInterval(name: string, text: string): number {
  if (text === "") return 0;
  const word = `--${name}=${text}`;
  const value = parseDuration(text);
  if (value === undefined) {
    throw new Mistake(`invalid duration ${JSON.stringify(text)} for --${name}`, {
      word,
      hint: "Write a number and a unit: 30s, 1m30s, 500ms.",
    });
  }
  if (value !== 0 && value < MINIMUM_INTERVAL) {
    throw new Mistake(`Interval ${JSON.stringify(name)} cannot be less than 1ms`, { word });
  }
  return value;
}

function readRetries(text: string): number {
  if (text === "") return 0;
  const word = `--retries=${text}`;
  const value = /^[+-]?[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value) || value > 0x7fffffff || value < -0x80000000) {
    throw new Mistake(`invalid number ${JSON.stringify(text)} for --retries`, { word });
  }
  if (value < 0) throw new Mistake(`--retries cannot be negative (${value})`, { word });
  return value;
}
