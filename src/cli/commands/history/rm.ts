// kiln history rm: forgets builds.
import { KilnError } from "../../../base/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { openHistories, pickRecord } from "./records.ts";

export const historyRm: Command = defineCommand({
  opensStore: true,
  spec: {
    path: ["history", "rm"],
    argsUsage: "[REF...]",
    args: { min: 0, max: Number.POSITIVE_INFINITY },
    summary: "Remove build records",
    about: "Builds that run stay.",
    flags: { all: { type: "bool", usage: "Remove all build records" } },
  },
  async run({ values: { all } }, words, world) {
    if (all && words.length > 0)
      throw new KilnError("FLAG_INVALID", "rm takes refs or --all, not both");
    if (!all && words.length === 0)
      throw new KilnError("FLAG_INVALID", "rm requires at least one argument", {
        hint: "Name builds, or say --all.",
      });
    await using histories = await openHistories(world);
    const known = await histories.all();
    const ended = known.filter(({ record }) => record.completedAt);
    const chosen = all ? ended : words.map((word) => pickRecord(word, known));
    for (const { record, history } of new Set(chosen))
      await history.update(record.ref, { delete: true }, world.call);
    return 0;
  },
});
