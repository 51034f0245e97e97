// kiln prune: removes what the builder keeps on disk.
import { createInterface } from "node:readline/promises";
import type { UsageRecord } from "../../../api/index.ts";
import { KilnError } from "../../../base/index.ts";
import { sizeText, tableText } from "../../report/index.ts";
import { openBuilder } from "../builders/builder.ts";
import { type Command, defineCommand, type RunWorld, standsInForBuildx } from "../command.ts";
import { pruneFilter } from "./usage.ts";

export const prune: Command = defineCommand({
  opensStore: true,
  spec: {
    path: ["prune"],
    args: { min: 0, max: 0 },
    summary: "Remove build cache",
    about:
      "Removes cache that no running build uses. With --all, also the images of the local store and all that they are made of.",
    flags: {
      all: { type: "bool", short: "a", usage: "Include internal/frontend images" },
      filter: { type: "stringArray", value: "key=value", usage: "Provide filter values" },
      force: { type: "bool", short: "f", usage: "Do not prompt for confirmation" },
      "keep-storage": {
        type: "bytes",
        usage: "Amount of disk space to keep",
        hidden: true,
        deprecated: "use --reserved-space",
      },
      "max-used-space": {
        type: "bytes",
        usage: "Maximum amount of disk space allowed to keep for cache",
      },
      "min-free-space": { type: "bytes", usage: "Target amount of free disk space after pruning" },
      "reserved-space": {
        type: "bytes",
        usage: "Amount of disk space always allowed to keep for cache",
      },
      timeout: {
        type: "duration",
        default: "20s",
        usage: "Accepted for compatibility",
        hidden: true,
      },
      verbose: { type: "bool", usage: "Provide a more verbose output" },
    },
  },
  async run({ values }, _args, world) {
    const filter = pruneFilter({
      ...values,
      reserved: values["reserved-space"] || values["keep-storage"],
    });
    if (!values.force && !(await confirmed(values.all, world))) return 0;
    await using builder = await openBuilder(world);
    let total = 0;
    const removed: UsageRecord[] = [];
    for await (const record of builder.prune(filter, world.call)) {
      total += record.size;
      removed.push(record);
    }
    if (values.verbose) world.stdout.write(removed.map(recordText).join(""));
    else if (removed.length > 0) world.stdout.write(removedTable(removed));
    world.stdout.write(`Total:\t${sizeText(total)}\n`);
    return 0;
  },
});

async function confirmed(all: boolean, world: RunWorld): Promise<boolean> {
  const what = all ? "all build cache" : "all dangling build cache";
  if (!world.stdin.isTerminal && standsInForBuildx(world)) {
    // buildx asks all the same, and takes the end of its input for a no.
    world.stdout.write(
      `WARNING! This will remove ${what}. Are you sure you want to continue? [y/N] \n`,
    );
    return false;
  }
  if (!world.stdin.isTerminal) {
    throw new KilnError(
      "FLAG_INVALID",
      "prune asks before it removes anything, but standard input is no terminal",
      {
        hint: "Add --force.",
      },
    );
  }
  const ask = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const question = `${world.stderr.style.yellow("WARNING!")} This will remove ${what}. Continue? [y/N] `;
    const answer = await ask.question(question, { signal: world.call.signal });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    ask.close();
  }
}

function removedTable(records: readonly UsageRecord[]): string {
  const rows = records.map((record) => [record.id, record.type, sizeText(record.size)]);
  return tableText([["ID", "TYPE", "SIZE"], ...rows]);
}

function recordText(record: UsageRecord): string {
  const rows = [
    ["ID:", record.id],
    ["Type:", record.type],
    ["Size:", sizeText(record.size)],
    ["Description:", record.description],
  ];
  return `${tableText(rows)}\n`;
}
