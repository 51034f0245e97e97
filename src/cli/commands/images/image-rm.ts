// kiln image rm: takes names out of the local store; pruning frees what nothing needs any more.
import { type Command, defineCommand } from "../command.ts";
import { openLocalImages } from "./local-images.ts";

export const imageRm: Command = defineCommand({
  spec: {
    path: ["image", "rm"],
    aliases: ["remove"],
    argsUsage: "NAME [NAME...]",
    args: { min: 1, max: Number.POSITIVE_INFINITY },
    summary: "Remove names from the local store",
    about: "`kiln prune` frees what no name and no build needs any more.",
    flags: {},
  },
  async run(_flags, names, world) {
    using local = await openLocalImages(world);
    const records = names.map((name) => local.find(name));
    for (const { name } of records) {
      local.records.delete(name);
      world.stdout.write(`Untagged: ${name}\n`);
    }
    return 0;
  },
});
