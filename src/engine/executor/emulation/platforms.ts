// What runs on this machine, by whichever way.
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { log } from "../../../base/index.ts";
import { normalizePlatform, type Platform } from "../../../formats/oci/index.ts";
import { loadSyscalls } from "../../../storage/snapshot/index.ts";
import { emulatorMissing } from "./advice.ts";
import { type Emulation, findEmulation } from "./emulation.ts";
import {
  binfmtDirectory,
  type HandlerTable,
  hostHandlerEmulations,
  readHandlerTable,
} from "./host-handlers.ts";
import { type Machine, nativeEmulation } from "./native.ts";

const debug = log("executor");
const MNT_DETACH = 2;

/** Knows the ways to run programs on this machine. Handlers may be registered at any time, so it looks again when asked. */
export class Platforms {
  readonly #native: Emulation;
  readonly #directory: string;

  /** `directory` is a place where binfmt_misc can be mounted to be read, where the machine has not mounted it. */
  constructor(machine: Machine, directory: string) {
    this.#native = nativeEmulation(machine);
    this.#directory = directory;
  }

  /** Every way, the native one first. */
  ways(): readonly Emulation[] {
    return this.#waysOf(this.#readTable());
  }

  /** The way that runs `platform`. Throws `EMULATOR_MISSING`, with the command that helps, when there is none. */
  find(platform: Platform): Emulation {
    const wanted = normalizePlatform(platform);
    const native = findEmulation([this.#native], wanted);
    if (native !== undefined) return native;
    const table = this.#readTable();
    const ways = this.#waysOf(table);
    const way = findEmulation(ways, wanted);
    if (way !== undefined) return way;
    throw emulatorMissing(wanted, {
      table,
      platforms: ways.flatMap(({ platforms }) => platforms),
      exists: existsSync,
    });
  }

  #waysOf(table: HandlerTable): readonly Emulation[] {
    const native = new Set(this.#native.platforms.map(({ architecture }) => architecture));
    return [this.#native, ...hostHandlerEmulations(table, native)];
  }

  /** In a container the host's handlers work although nothing shows them: mount the table for ourselves and look. */
  #readTable(): HandlerTable {
    const table = readHandlerTable(binfmtDirectory);
    if (table.mounted) return table;
    const own = join(this.#directory, "binfmt_misc");
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
