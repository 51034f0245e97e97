// kiln buildctl du: what a daemon keeps on disk.
import type { Command } from "../command.ts";
import { openDaemon } from "./connection.ts";
import { buildctlCommand, during } from "./failure.ts";
import { buildctlFlags } from "./flags.ts";
import { formatFlag, formatOf, usageStruct } from "./format.ts";
import { tabbedText } from "./tabbed-text.ts";
import { usageBlock, usageHeadings, usageRow, usageSummary } from "./usage-text.ts";

export const du: Command = buildctlCommand({
  spec: {
    path: ["buildctl", "du"],
    args: { min: 0, max: 0 },
    summary: "Disk usage",
    flags: {
      ...buildctlFlags,
      filter: { type: "stringArray", short: "f", value: "filter", usage: "Filter records" },
      format: formatFlag,
      verbose: { type: "bool", short: "v", usage: "Verbose output" },
    },
  },
  async run({ values }, _args, world) {
    const format = formatOf(values.format);
    const record = await during("failed to call diskusage", async () => {
      await using daemon = await openDaemon(values, world);
      const request = { filter: [...values.filter], ageLimit: 0 };
      return (await daemon.control.diskUsage(request, world.call)).record;
    });
    const { stdout } = world;
    if (format) {
      stdout.write(`${format.execute(record.map(usageStruct))}\n`);
      return 0;
    }
    const now = world.now();
    stdout.write(
      values.verbose
        ? record.map(usageBlock).join("")
        : tabbedText([usageHeadings, ...record.map((one) => usageRow(one, now))]),
    );
    if (values.filter.length === 0) stdout.write(usageSummary(record));
    return 0;
  },
});
