// Changing the machine's table of handlers (binfmt_misc): for those who want emulators registered for everybody.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { KilnError } from "../../../base/index.ts";
import { loadSyscalls } from "../../../storage/snapshot/index.ts";
import { type Emulator, processors, registration } from "./emulators.ts";
import { type Handler, readHandlerTable, worksInContainers } from "./host-handlers.ts";

/** What was done about one handler. */
export type HandlerChange = "registered" | "replaced" | "kept" | "removed";

/** Mounts binfmt_misc at `directory` where nothing shows it there. True when it was mounted now. Throws `BINFMT_FAILED`. */
export function mountHandlerTable(directory: string): boolean {
  if (existsSync(join(directory, "register"))) return false;
  try {
    mkdirSync(directory, { recursive: true });
    loadSyscalls().mount("binfmt_misc", directory, "binfmt_misc", 0, "");
    return true;
  } catch (error) {
    throw binfmtFailed(`binfmt_misc cannot be mounted at ${directory}`, error);
  }
}

/**
 * Registers an emulator for its processor's programs. One that does its work in containers already is kept, whoever
 * registered it; one that does not is replaced. Throws `BINFMT_FAILED`.
 */
export function installHandler(directory: string, emulator: Emulator): HandlerChange {
  const line = registration(emulator);
  const name = `qemu-${processors[emulator.architecture]?.qemu}`;
  if (line === undefined) throw new Error(`${emulator.architecture} has no registration`);
  const known = readHandlerTable(directory).handlers;
  if (known.some((one) => one.architecture === emulator.architecture && worksInContainers(one)))
    return "kept";
  const old = known.find((handler) => handler.name === name);
  if (old) removeHandler(directory, old.name);
  write(join(directory, "register"), line, `${name} cannot be registered`);
  return old ? "replaced" : "registered";
}

/** Takes a handler out of the table. Throws `BINFMT_FAILED`. */
export function removeHandler(directory: string, name: string): void {
  write(join(directory, name), "-1", `${name} cannot be removed`);
}

/** Handlers meant by `qemu-aarch64`, `qemu-*`, or an architecture; of emulators only. */
export function namedHandlers(handlers: readonly Handler[], word: string): readonly Handler[] {
  if (word === "all" || word === "qemu-*")
    return handlers.filter(({ name }) => name.startsWith("qemu-"));
  if (word.endsWith("*")) return handlers.filter(({ name }) => name.startsWith(word.slice(0, -1)));
  return handlers.filter(({ name, architecture }) => name === word || architecture === word);
}

function write(path: string, text: string, failure: string): void {
  try {
    // Handlers are made by one write.
    writeFileSync(path, text, { flag: "r+" });
  } catch (error) {
    throw binfmtFailed(failure, error);
  }
}

const hints: Readonly<Record<string, string>> = {
  EACCES:
    "Run it as root of the machine; a build itself needs no handlers where kiln doctor says that private ones are possible.",
  EROFS:
    "This is a container that may not change the machine: run it with --privileged, or give --mount DIRECTORY.",
  ENOENT: "The kernel has no binfmt_misc: run as root: modprobe binfmt_misc",
  ENODEV: "The kernel has no binfmt_misc: run as root: modprobe binfmt_misc",
};

function binfmtFailed(message: string, cause: unknown): KilnError {
  const code = (cause as NodeJS.ErrnoException).code ?? "";
  const words = cause instanceof Error ? cause.message : String(cause);
  const hint = hints[code === "EPERM" ? "EACCES" : code];
  return new KilnError("BINFMT_FAILED", `${message}: ${words}`, {
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}
