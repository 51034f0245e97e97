// kiln buildctl prune-histories: forgets builds that are not pinned.
import type { Command } from "../command.ts";
import { openDaemon } from "./connection.ts";
import { buildctlCommand } from "./failure.ts";
import { buildctlFlags } from "./flags.ts";
import { eventStruct, formatFlag, formatOf } from "./format.ts";
import { eventCells, eventHeadings } from "./history-text.ts";
import { tabbedText } from "./tabbed-text.ts";

export const pruneHistories: Command = buildctlCommand({
  spec: {
    path: ["buildctl", "prune-histories"],
    args: { min: 0, max: 0 },
    summary: "Clean up build histories",
    flags: { ...buildctlFlags, format: formatFlag },
  },
  async run({ values }, _args, world) {
    const format = formatOf(values.format);
    await using daemon = await openDaemon(values, world);
    const request = { ActiveOnly: false, Ref: "", EarlyExit: true, Filter: [], Limit: 0 };
    const rows = [eventHeadings];
    let failure: unknown;
    for await (const event of daemon.control.listenBuildHistory(request, world.call)) {
      const { record } = event;
      // Of a build that runs there is nothing to forget yet.
      if (!record || record.pinned || !record.CompletedAt) continue;
      const { Ref } = record;
      try {
        const change = { Ref, Pinned: false, Delete: true, Finalize: false };
        await daemon.control.updateBuildHistory(change, world.call);
      } catch (error) {
        failure ??= error;
        continue;
      }
      if (format) world.stdout.write(`${format.execute(eventStruct(event))}\n`);
      else rows.push(eventCells(event));
    }
    if (!format) world.stdout.write(tabbedText(rows));
    if (failure !== undefined) throw failure;
    return 0;
  },
});
