// A row of the command table.
import type { FlagSet } from "../flags/index.ts";
import type { Command } from "./command.ts";

/** A word of the command line: a command, or a group of commands. */
export interface Entry {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly about?: string;
  /** Left out of help and docs: old words that still work. */
  readonly hidden?: boolean;
  /** Flags of the commands below that may stand before their names. */
  readonly passed?: FlagSet;
  readonly load?: () => Promise<Command>;
  readonly children?: readonly Entry[];
  /** Flags that all children take, also before their names; their own sets hold them too. */
  readonly flags?: FlagSet;
  /** The program that a group stands for: `--version` says so. */
  readonly program?: string;
}
