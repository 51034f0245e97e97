// How buildctl's commands tell that they failed: excerpts of the source, then one line, as the reference prints them.
import { isAbortError, isKilnError } from "../../../base/index.ts";
import { StatusError, statusCodes } from "../../../remote/grpc/index.ts";
import type { FlagSet } from "../../flags/index.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";
import { readSources, sourceText } from "./source-excerpt.ts";

/** A command of buildctl: what it throws is told in the reference's words, and its exit code is then 1. */
export function buildctlCommand<const S extends FlagSet>(command: Command<S>): Command {
  return defineCommand<S>({
    ...command,
    async run(flags, args, world) {
      try {
        return await command.run(flags, args, world);
      } catch (error) {
        const text = failureText(error);
        if (text === undefined) throw error;
        world.stderr.write(text);
        sayStack(error, world);
        return 1;
      }
    },
  });
}

/** An error with words before its message: what was being done. */
class Doing extends Error {
  constructor(doing: string, cause: unknown) {
    super(doing, { cause });
  }
}

/** Runs `work`; what it throws is told with `doing` before it: `failed to solve: …`. */
export async function during<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Doing(doing, error);
  }
}

/** What is printed of a failure; undefined for what should not have happened. */
export function failureText(error: unknown): string | undefined {
  if (error instanceof Doing) {
    const inner = failureText(error.cause);
    return inner?.replace(/^error: /m, () => `error: ${error.message}: `);
  }
  if (error instanceof StatusError) return statusText(error, undefined);
  if (isAbortError(error)) return "error: Canceled: context canceled\n";
  if (!isKilnError(error)) return nodeText(error);
  if (error.cause instanceof StatusError) return statusText(error.cause, error.hint);
  const lines = [error, ...error.others].map(
    (one) => `error: ${one.message}\n${hintText(one.hint)}`,
  );
  return lines.join("");
}

/** A file that is not there or may not be read is the user's affair. */
function nodeText(error: unknown): string | undefined {
  const { code, syscall, path, message } = error as NodeJS.ErrnoException;
  if (!(error instanceof Error) || code === undefined || syscall === undefined) return undefined;
  const why = /^[A-Z0-9]+: ([^,]*)/.exec(message)?.[1] ?? message;
  return `error: ${path === undefined ? message : `${syscall} ${path}: ${why}`}\n`;
}

function statusText(status: StatusError, hint: string | undefined): string {
  const sources = readSources(status).map(sourceText).join("");
  const message = status.message.replace(/^failed to solve: /, "");
  const lost = /ended the call without a status|the connection was (lost|closed)/.test(message);
  return `${sources}error: ${codeWord(status.code)}${message}\n${hintText(hint ?? (lost ? lostHint : undefined))}`;
}

/** Codes that add nothing to the words behind them. */
const silentCodes: readonly number[] = [
  statusCodes.OK,
  statusCodes.UNKNOWN,
  statusCodes.INVALID_ARGUMENT,
  statusCodes.FAILED_PRECONDITION,
];

/** gRPC's codes as Go names them. */
function codeWord(code: number): string {
  if (silentCodes.includes(code)) return "";
  const name = Object.entries(statusCodes).find(([, value]) => value === code)?.[0];
  if (name === undefined) return `Code(${code}): `;
  if (name === "CANCELLED") return "Canceled: ";
  const words = name.split("_").map((word) => word.charAt(0) + word.slice(1).toLowerCase());
  return `${words.join("")}: `;
}

const lostHint =
  "See whether the daemon still runs. If it speaks TLS, name the certificates: --tlscacert, --tlscert, --tlskey.";

function hintText(hint: string | undefined): string {
  return hint === undefined ? "" : `hint: ${hint}\n`;
}

/** With --debug, where it was thrown, and what the daemon says of its own stack. */
function sayStack(error: unknown, { globals, stderr }: RunWorld): void {
  if (!globals.debug) return;
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof Doing) continue;
    stderr.write(`${at.stack ?? at.message}\n`);
    if (at instanceof StatusError)
      for (const { typeUrl } of at.details) stderr.write(`  detail: ${typeUrl}\n`);
  }
}
