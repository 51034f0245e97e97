// kiln buildctl debug histories: the builds that a daemon remembers.
import type { Command } from "../command.ts";
import { openDaemon } from "./connection.ts";
import { buildctlCommand } from "./failure.ts";
import { buildctlFlags } from "./flags.ts";
import { eventStruct, formatFlag, formatOf } from "./format.ts";
import { eventCells, eventHeadings } from "./history-text.ts";
import { tabbedText } from "./tabbed-text.ts";

export const debugHistories: Command = buildctlCommand({
  spec: {
    path: ["buildctl", "debug", "histories"],
    args: { min: 0, max: 0 },
    summary: "List build records",
    flags: { ...buildctlFlags, format: formatFlag },
  },
  async run({ values }, _args, world) {
    const format = formatOf(values.format);
    await using daemon = await openDaemon(values, world);
    const request = { ActiveOnly: false, Ref: "", EarlyExit: true, Filter: [], Limit: 0 };
    const rows = [[...eventHeadings, "PINNED"]];
    for await (const event of daemon.control.listenBuildHistory(request, world.call)) {
      if (format) world.stdout.write(`${format.execute(eventStruct(event))}\n`);
      else rows.push([...eventCells(event), event.record?.pinned ? "*" : ""]);
    }
    if (!format) world.stdout.write(tabbedText(rows));
    return 0;
  },
});
