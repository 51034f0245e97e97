// kiln image tag: another name for an image of the local store.

import { parseTag } from "../../flags/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { openLocalImages } from "./local-images.ts";

export const imageTag: Command = defineCommand({
  spec: {
    path: ["image", "tag"],
    argsUsage: "SOURCE TARGET",
    args: { min: 2, max: 2 },
    summary: "Give an image of the local store another name",
    flags: {},
  },
  async run(_flags, [source = "", target = ""], world) {
    using local = await openLocalImages(world);
    const { descriptor } = local.find(source);
    local.records.set({ name: parseTag(target), descriptor, createdAt: world.now() });
    return 0;
  },
});
