// kiln buildctl prune: removes what a daemon keeps on disk.
import { KilnError } from "../../../base/index.ts";
import type { Command } from "../command.ts";
import { openDaemon } from "./connection.ts";
import { buildctlCommand, during } from "./failure.ts";
import { buildctlFlags } from "./flags.ts";
import { formatFlag, formatOf, usageStruct } from "./format.ts";
import { byteText, tabbedText } from "./tabbed-text.ts";
import { usageBlock, usageHeadings, usageRow } from "./usage-text.ts";

export const prune: Command = buildctlCommand({
  spec: {
    path: ["buildctl", "prune"],
    args: { min: 0, max: 0 },
    summary: "Clean up build cache",
    flags: {
      ...buildctlFlags,
      all: { type: "bool", usage: "Include internal/frontend references" },
      filter: { type: "stringArray", short: "f", value: "filter", usage: "Filter records" },
      format: formatFlag,
      "free-storage": {
        type: "string",
        value: "MB",
        usage: "Keep free data below this limit (in MB)",
      },
      "keep-duration": { type: "duration", usage: "Keep data newer than this limit" },
      "keep-storage": { type: "string", value: "MB", usage: "Keep data below this limit (in MB)" },
      "keep-storage-min": {
        type: "string",
        value: "MB",
        usage: "Always allow data above this limit (in MB)",
      },
      verbose: { type: "bool", short: "v", usage: "Verbose output" },
    },
  },
  async run({ values }, _args, world) {
    const format = formatOf(values.format);
    const request = {
      filter: [...values.filter],
      all: values.all,
      // Nanoseconds.
      keepDuration: values["keep-duration"] * 1e6,
      reservedSpace: megabytes(values["keep-storage-min"], "--keep-storage-min"),
      maxUsedSpace: megabytes(values["keep-storage"], "--keep-storage"),
      minFreeSpace: megabytes(values["free-storage"], "--free-storage"),
    };
    const { stdout } = world;
    let total = 0;
    let first = true;
    await during("failed to call prune", async () => {
      await using daemon = await openDaemon(values, world);
      for await (const record of daemon.control.prune(request, world.call)) {
        total += record.Size;
        if (format) stdout.write(`${format.execute(usageStruct(record))}\n`);
        else if (values.verbose) stdout.write(usageBlock(record));
        else {
          if (first) stdout.write(tabbedText([[...usageHeadings]]));
          stdout.write(tabbedText([usageRow(record, world.now())]));
        }
        first = false;
      }
    });
    if (!format) stdout.write(tabbedText([["Total:", byteText(total)]]));
    return 0;
  },
});

/** Megabytes, with a fraction or without, as bytes. */
function megabytes(text: string, flag: string): number {
  const value = text === "" ? 0 : Number(text);
  if (Number.isFinite(value) && value >= 0) return Math.trunc(value * 1e6);
  throw new KilnError(
    "FLAG_INVALID",
    `invalid value ${JSON.stringify(text)} for ${flag}: must be a number of megabytes`,
  );
}
