// kiln manifest rm: forgets local lists; registries are left alone.
import { KilnError } from "../../../base/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { listName, manifestStore } from "./manifest-images.ts";

export const manifestRm: Command = defineCommand({
  spec: {
    path: ["manifest", "rm"],
    argsUsage: "MANIFEST_LIST [MANIFEST_LIST...]",
    args: { min: 1, max: Number.POSITIVE_INFINITY },
    summary: "Delete one or more manifest lists from local storage",
    flags: {},
  },
  async run(_flags, targets, world) {
    const store = manifestStore(world);
    const missing = targets.map(listName).filter((list) => !store.remove(list));
    if (missing.length === 0) return 0;
    throw new KilnError("IMAGE_NOT_FOUND", `there is no manifest list ${missing.join(", ")}`, {
      hint: "Lists are local only until they are pushed; in a registry, images stay.",
    });
  },
});
