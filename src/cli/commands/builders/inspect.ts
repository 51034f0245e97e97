// kiln inspect: one builder with its nodes.

import { type Command, defineCommand } from "../command.ts";
import { askEmbedded } from "./builder.ts";
import { bootNodes } from "./builder-boot.ts";
import { viewBuilder } from "./builder-views.ts";
import { inspectText } from "./inspect-text.ts";
import { openKnownBuilders } from "./known-builders.ts";

export const inspect: Command = defineCommand({
  spec: {
    path: ["inspect"],
    argsUsage: "[NAME]",
    args: { min: 0, max: 1 },
    summary: "Inspect current builder instance",
    flags: {
      bootstrap: { type: "bool", usage: "Ensure builder has booted before inspecting" },
      timeout: {
        type: "duration",
        default: "20s",
        usage: "Override the default timeout for loading builder status",
      },
    },
  },
  async run({ values }, [name], world) {
    const known = await openKnownBuilders(world);
    const builder = known.chosen(name);
    if (values.bootstrap) await bootNodes(builder, known, values.timeout, world);
    const options = { known, timeout: values.timeout, askEmbedded: askEmbedded(world) };
    const view = await viewBuilder(builder, options, world.call);
    world.stdout.write(inspectText(view));
    return 0;
  },
});
