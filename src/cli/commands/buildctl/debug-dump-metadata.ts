// kiln buildctl debug dump-metadata: what a state directory's database holds. Needs no daemon, and disturbs none.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { KilnError } from "../../../base/index.ts";
import { dumpMetadata } from "../../../storage/metadata/index.ts";
import { openClientConfig } from "../builders/client-config.ts";
import type { Command } from "../command.ts";
import { buildctlCommand } from "./failure.ts";
import { buildctlFlags } from "./flags.ts";

export const debugDumpMetadata: Command = buildctlCommand({
  spec: {
    path: ["buildctl", "debug", "dump-metadata"],
    args: { min: 0, max: 0 },
    summary: "Dump the meta in human-readable format",
    about:
      "Reads the database of the state directory that --root names, whether or not a daemon uses it.",
    flags: buildctlFlags,
  },
  async run(_flags, _args, world) {
    const { root } = await openClientConfig(world);
    const directory = join(root, "metadata");
    if (!existsSync(directory)) {
      throw new KilnError("FLAG_INVALID", `open ${directory}: no such file or directory`, {
        hint: "Name a state directory with --root.",
      });
    }
    let table = "";
    for (const entry of await dumpMetadata(directory)) {
      if (entry.table !== table) world.stdout.write(`${entry.table}\n`);
      table = entry.table;
      world.stdout.write(`  ${JSON.stringify(entry.key)}: ${entry.text}\n`);
    }
    return 0;
  },
});
