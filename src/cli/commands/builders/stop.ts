// kiln stop: stops a builder's nodes and keeps what they have.
import { openNode } from "../../../remote/driver/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { openKnownBuilders } from "./known-builders.ts";

export const stop: Command = defineCommand({
  spec: {
    path: ["stop"],
    argsUsage: "[NAME]",
    args: { min: 0, max: 1 },
    summary: "Stop builder instance",
    flags: {
      timeout: {
        type: "duration",
        default: "20s",
        usage: "Override the default timeout for loading builder status",
        hidden: true,
      },
    },
  },
  async run(_flags, [name], world) {
    const known = await openKnownBuilders(world);
    const builder = known.chosen(name);
    await Promise.all(
      builder.nodes.map((node) => openNode(builder, node, known.drivers).stop(world.call)),
    );
    return 0;
  },
});
