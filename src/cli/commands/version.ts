// kiln version: which Kiln this is.
import { type Command, defineCommand } from "./command.ts";

/** The released version; package.json has the same (a test compares). */
export const kilnVersion = "0.1.0";

export const version: Command = defineCommand({
  spec: {
    path: ["version"],
    args: { min: 0, max: 0 },
    summary: "Show version information",
    flags: {},
  },
  async run(_flags, _args, world) {
    world.stdout.write(`kiln ${kilnVersion}\n`);
    return 0;
  },
});
