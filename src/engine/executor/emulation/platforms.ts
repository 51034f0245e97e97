// What runs on this machine, by whichever way.
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { isKilnError, log } from "../../../base/index.ts";
import { normalizePlatform, type Platform } from "../../../formats/oci/index.ts";
import { loadSyscalls } from "../../../storage/snapshot/index.ts";
import { emulatorMissing } from "./advice.ts";
import { type Emulation, findEmulation } from "./emulation.ts";
import type { Emulator } from "./emulators.ts";
import {
  binfmtDirectory,
  type HandlerTable,
  hostHandlerEmulations,
  privateEmulations,
  readHandlerTable,
} from "./host-handlers.ts";
import { type Machine, nativeEmulation } from "./native.ts";
import type { PrivateHandlers } from "./private-handlers.ts";

const debug = log("executor");
const MNT_DETACH = 2;

/** `KILN_EMULATION`: which way programs of other processors run, instead of the best that works. */
export const emulationModes = ["auto", "private", "host", "prefix"] as const;
export type EmulationMode = (typeof emulationModes)[number];

export interface PlatformsOptions {
  readonly machine: Machine;
  /** A place where binfmt_misc can be mounted, in this process's private mount namespace. */
  readonly directory: string;
  readonly mode: EmulationMode;
  /** Whether emulators of the build's own go before those of the machine. */
  readonly preferPrivate: boolean;
  /** Registers what is installed, but for `native` programs, for this build alone; rejects where the kernel refuses. */
  readonly openPrivate: (native: ReadonlySet<string>) => Promise<PrivateHandlers>;
  /**
   * What proot can put emulators before, but for `native` programs: those that are installed, or `emulators`. None without
   * proot.
   */
  readonly prefix: (
    native: ReadonlySet<string>,
    emulators?: readonly Emulator[],
  ) => readonly Emulation[];
  /** All emulators that somebody has named, best first: those after the first of an architecture are for crashed steps. */
  readonly named: () => readonly Emulator[];
  /** Registers one of them for the steps that are started through it; rejects where the kernel refuses. */
  readonly openOther: (emulator: Emulator) => Promise<PrivateHandlers>;
}

/**
 * Knows the ways to run programs on this machine. Handlers may be registered at any time, so it looks again when asked.
 * Registers its own when first needed; owns them.
 */
export class Platforms implements AsyncDisposable {
  readonly #native: Emulation;
  readonly #options: PlatformsOptions;
  #private: Promise<PrivateHandlers | undefined> | undefined;
  /** By path. */
  readonly #others = new Map<string, Promise<PrivateHandlers | undefined>>();

  constructor(options: PlatformsOptions) {
    this.#native = nativeEmulation(options.machine);
    this.#options = options;
  }

  /** Every way, best first; the native one is. */
  async ways(): Promise<readonly Emulation[]> {
    return this.#waysOf(this.#readTable(), await this.#openPrivate());
  }

  /** The way that runs `platform`. Rejects with `EMULATOR_MISSING`, with the command that helps, when there is none. */
  async find(platform: Platform): Promise<Emulation> {
    const wanted = normalizePlatform(platform);
    const native = findEmulation([this.#native], wanted);
    if (native !== undefined) return native;
    const table = this.#readTable();
    // What the machine offers costs nothing: only where it does not come first, or does not do, is there more to be done.
    const atOnce = this.#options.preferPrivate
      ? undefined
      : findEmulation(this.#registered(table, undefined), wanted);
    if (atOnce !== undefined) return atOnce;
    const ways = this.#waysOf(table, await this.#openPrivate());
    const way = findEmulation(ways, wanted);
    if (way !== undefined) return way;
    throw emulatorMissing(wanted, {
      table,
      platforms: ways.flatMap(({ platforms }) => platforms),
      exists: existsSync,
    });
  }

  /**
   * The way that runs `platform` at an attempt: the best at the first (0), then the further emulators that were named for
   * its processor. Undefined when there are no more.
   */
  async attempt(platform: Platform, attempt: number): Promise<Emulation | undefined> {
    if (attempt === 0) return await this.find(platform);
    const wanted = normalizePlatform(platform);
    if (findEmulation([this.#native], wanted) !== undefined || this.#options.mode === "host")
      return undefined;
    const named = this.#options
      .named()
      .filter(({ architecture }) => architecture === wanted.architecture);
    const emulator = named[attempt];
    if (emulator === undefined) return undefined;
    const handlers = await this.#openOnce(emulator);
    const ways =
      handlers === undefined
        ? this.#options.prefix(new Set(), [emulator])
        : privateEmulations(handlers, new Set());
    return findEmulation(ways, wanted);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opening of [...this.#others.values(), this.#private]) {
      const opened = await opening?.catch(() => undefined);
      await opened?.[Symbol.asyncDispose]();
    }
  }

  #openOnce(emulator: Emulator): Promise<PrivateHandlers | undefined> {
    if (this.#options.mode === "prefix") return Promise.resolve(undefined);
    const opened = this.#others.get(emulator.path) ?? this.#openOther(emulator);
    this.#others.set(emulator.path, opened);
    return opened;
  }

  async #openOther(emulator: Emulator): Promise<PrivateHandlers | undefined> {
    try {
      return await this.#options.openOther(emulator);
    } catch (error) {
      debug.debug("no other emulator", { path: emulator.path, error: String(error) });
      return undefined;
    }
  }

  #waysOf(table: HandlerTable, own: PrivateHandlers | undefined): readonly Emulation[] {
    const { mode, prefix } = this.#options;
    const isAllowed = mode === "auto" || mode === "prefix";
    const prefixed = isAllowed ? prefix(this.#nativeArchitectures()) : [];
    return [...this.#registered(table, own), ...prefixed];
  }

  /** What the kernel starts emulators for, and what needs none. */
  #registered(table: HandlerTable, own: PrivateHandlers | undefined): readonly Emulation[] {
    const { mode, preferPrivate } = this.#options;
    if (mode === "prefix") return [this.#native];
    const native = this.#nativeArchitectures();
    const ours = own === undefined ? [] : privateEmulations(own, native);
    // In a namespace with a table of its own, the machine's is out of reach.
    const hidden = mode === "private" || own?.enter.length === 0;
    const theirs = hidden ? [] : hostHandlerEmulations(table, native);
    return [this.#native, ...(preferPrivate ? [...ours, ...theirs] : [...theirs, ...ours])];
  }

  #nativeArchitectures(): ReadonlySet<string> {
    return new Set(this.#native.platforms.map(({ architecture }) => architecture));
  }

  #openPrivate(): Promise<PrivateHandlers | undefined> {
    const { mode } = this.#options;
    if (mode === "host" || mode === "prefix") return Promise.resolve(undefined);
    this.#private ??= this.#options
      .openPrivate(this.#nativeArchitectures())
      .catch((error: unknown) => {
        // Who pins an emulator does not want another.
        if (isKilnError(error)) throw error;
        debug.debug("no emulators of the build's own", { error: String(error) });
        return undefined;
      });
    return this.#private;
  }

  /** In a container the host's handlers work although nothing shows them: mount the table for ourselves and look. */
  #readTable(): HandlerTable {
    const table = readHandlerTable(binfmtDirectory);
    // A user namespace that mounts the table makes one of its own.
    if (table.mounted || this.#options.preferPrivate) return table;
    const own = join(this.#options.directory, "binfmt_misc");
    mkdirSync(own);
    try {
      loadSyscalls().mount("binfmt_misc", own, "binfmt_misc", 0, "");
      try {
        return { ...readHandlerTable(own), mounted: false };
      } finally {
        loadSyscalls().umount2(own, MNT_DETACH);
      }
    } catch (error) {
      debug.debug("no binfmt_misc", { error: String(error) });
      return table;
    } finally {
      rmdirSync(own);
    }
  }
}
