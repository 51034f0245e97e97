// What a command is given and what it gives back: the world around the process, as a value, so that tests can make one.
import type { Builder } from "../../api/index.ts";
import type { Call } from "../../base/index.ts";
import type { Standing } from "../../engine/isolation/index.ts";
import type { BuildOrigin } from "../../remote/store/index.ts";
import type { CommandSpec, FlagSet, Flags, GlobalFlags } from "../flags/index.ts";
import type { Output } from "../report/index.ts";

/** The process's surroundings. Only `main.ts` and tests make one. */
export interface World {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: AsyncIterable<Uint8Array> & { readonly isTerminal: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  /** Cancelled by Ctrl-C. */
  readonly call: Call;
  readonly now: () => Date;
  /** Runs `step` when the process ends, however it ends. Synchronous; returns how to take it back. */
  atExit(step: () => void): () => void;
  /**
   * Gets the process to where builds may run, for commands that open the store; may start it anew. Absent in tests, which
   * stay where they are.
   */
  readonly enter?: (isolation: string) => Standing;
  /** Opens the builder instead of the real one: for tests. */
  readonly openBuilder?: (world: RunWorld) => Promise<Builder>;
}

/** The world with the global flags read. */
export interface RunWorld extends World {
  readonly globals: GlobalFlags["values"];
  /** Where the process stands, for commands that open the store. */
  readonly standing?: Standing;
  /** Where the build of this ref is started from, to be noted with the builder that builds it. */
  readonly originOf?: (ref: string) => BuildOrigin | undefined;
  /** The words behind the program's name. */
  readonly line?: readonly string[];
  /** Takes warnings that are told when progress is no longer shown; they are told at once where it is absent. */
  readonly sayLater?: (text: string) => void;
}

/** One command: data for help and docs, and what it does. Resolves with the exit code; failures are thrown. */
export interface Command<S extends FlagSet = FlagSet> {
  readonly spec: CommandSpec<S>;
  /** Whether it works on the store, which belongs to the ids of the way that builds are isolated in. */
  readonly opensStore?: boolean;
  run(flags: Flags<S>, args: readonly string[], world: RunWorld): Promise<number>;
}

/** Types a command's flags; the command itself is passed through. */
export function defineCommand<const S extends FlagSet>(command: Command<S>): Command {
  return command as unknown as Command;
}

/** Whether Kiln was called in the place of docker buildx, whose defaults and words then count. */
export function standsInForBuildx({ env }: Pick<World, "env">): boolean {
  return env["KILN_PLUGIN"] === "buildx";
}

/** A line for the user that is no failure. */
export function sayWarning(world: World, text: string): void {
  const word = standsInForBuildx(world) ? "WARNING:" : "warning:";
  world.stderr.write(`${world.stderr.style.yellow(word)} ${text}\n`);
}
