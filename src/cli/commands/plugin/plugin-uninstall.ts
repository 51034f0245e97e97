// kiln plugin uninstall: takes back what `kiln plugin install` did.
import { renameSync, rmSync } from "node:fs";
import { fromNodeError } from "../../../base/index.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";
import { isThere, keptPlace, leadsTo, pluginPlace, programOf } from "./plugin-install.ts";

export const pluginUninstall: Command = defineCommand({
  spec: {
    path: ["plugin", "uninstall"],
    args: { min: 0, max: 0 },
    summary: "Take Kiln out of docker's plugins",
    about:
      "Removes the links that 'kiln plugin install' made and puts back the plugin that was there before.",
    flags: {},
  },
  async run(_flags, _args, world) {
    const program = programOf(world);
    for (const name of ["docker-kiln", "docker-buildx"]) uninstall(name, program, world);
    return 0;
  },
});

function uninstall(name: string, program: string, world: RunWorld): void {
  const place = pluginPlace(name, world);
  const kept = keptPlace(name, world);
  // Somebody else's plugin is not ours to remove.
  if (!leadsTo(place, program)) return;
  try {
    rmSync(place);
    if (isThere(kept)) renameSync(kept, place);
    world.stdout.write(`${place} removed\n`);
  } catch (error) {
    throw fromNodeError(error, `cannot remove the plugin ${place}`);
  }
}
