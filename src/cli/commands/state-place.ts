// Where this command keeps its state.
import { homedir } from "node:os";
import { resolve } from "node:path";
import { stateRoot } from "../config/index.ts";
import type { RunWorld } from "./command.ts";

/** The state directory, absolute; `configured` is the configuration file's. */
export function rootOf(world: RunWorld, configured: string | undefined): string {
  const flag = world.globals.root;
  return stateRoot({
    flag: flag === "" ? undefined : resolve(world.cwd, flag),
    config: configured,
    environment: world.env,
    uid: world.standing?.uid ?? process.geteuid?.() ?? 0,
    home: homedir(),
  });
}
