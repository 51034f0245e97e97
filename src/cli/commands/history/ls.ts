// kiln history ls: builds that run and have run.
import type { Attrs } from "../../../api/index.ts";
import { createRecordFilter } from "../../../engine/history/index.ts";
import { ageText } from "../../report/index.ts";
import { gitFacts } from "../build/git-facts.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";
import { rowsText } from "../machine/row-format.ts";
import { buildName, durationText, elapsed, statusWord } from "./facts.ts";
import { readFilters } from "./filters.ts";
import { type FoundRecord, openHistories } from "./records.ts";

export const historyLs: Command = defineCommand({
  opensStore: true,
  spec: {
    path: ["history", "ls"],
    args: { min: 0, max: 0 },
    summary: "List build records",
    about:
      "Filters are ref, repository and status with = and !=, and startedAt, completedAt and duration with <, >, <= and >=; times are dates or how long ago, such as 1h. Statuses are running, completed, error and canceled.",
    examples: [
      { what: "Builds that failed", run: "kiln history ls --filter status=error" },
      { what: "For programs", run: "kiln history ls --format json" },
    ],
    flags: {
      filter: {
        type: "stringArray",
        value: "filter",
        usage: "Provide filter values (e.g., status=error)",
      },
      format: {
        type: "string",
        default: "table",
        value: "table|json|TEMPLATE",
        usage: "Format the output",
      },
      local: { type: "bool", usage: "List records for current repository only" },
      "no-trunc": { type: "bool", usage: "Don't truncate output" },
    },
  },
  async run({ values }, _args, world) {
    const now = world.now();
    const matches = createRecordFilter(readFilters(values.filter, now));
    const near = values.local ? await localRepository(world) : undefined;
    await using histories = await openHistories(world);
    const found = (await histories.all()).filter(
      ({ record }) => matches(record) && (!near || near(record.attrs)),
    );
    const { format } = values;
    if (format === "json") world.stdout.write(found.map(jsonLine).join(""));
    else {
      const rows = found.map((one) => rowOf(one, !values["no-trunc"], now));
      world.stdout.write(rowsText(format, rows, headings, standard));
    }
    return 0;
  },
});

const headings = {
  Ref: "BUILD ID",
  FullRef: "BUILD REF",
  Name: "NAME",
  Status: "STATUS",
  CreatedAt: "CREATED AT",
  Duration: "DURATION",
};
const standard = ["Ref", "Name", "Status", "CreatedAt", "Duration"];
const longestName = 36;

function rowOf(
  { record, builder, node, origin }: FoundRecord,
  shorten: boolean,
  now: Date,
): Record<keyof typeof headings, string> {
  const name = buildName(record.attrs, origin);
  return {
    Ref: record.ref,
    FullRef: `${builder}/${node}/${record.ref}`,
    Name: shorten && name.length > longestName ? `..${name.slice(2 - longestName)}` : name,
    Status: statusWord(record),
    CreatedAt: ageText(record.createdAt, now),
    Duration: `${durationText(elapsed(record, now))}${record.completedAt ? "" : "+"}`,
  };
}

/** With buildx's keys, in the order in which Go writes a map. */
function jsonLine({ record, builder, node, origin }: FoundRecord): string {
  const seconds = (time: Date) => time.toISOString().replace(/\.\d+Z$/, "Z");
  const { completedAt } = record;
  return `${JSON.stringify({
    cached_steps: record.cachedSteps,
    ...(completedAt ? { completed_at: seconds(completedAt) } : {}),
    completed_steps: record.completedSteps,
    created_at: seconds(record.createdAt),
    name: buildName(record.attrs, origin),
    ref: `${builder}/${node}/${record.ref}`,
    status: statusWord(record),
    total_steps: record.totalSteps,
  })}\n`;
}

/** Whether a build was of the repository in the working directory. */
async function localRepository(world: RunWorld): Promise<(attrs: Attrs) => boolean> {
  const directories = new Map([
    ["context", world.cwd],
    ["dockerfile", world.cwd],
  ]);
  const facts = await gitFacts({ directories, filename: "Dockerfile", env: world.env }, world.call);
  const source = facts["vcs:source"];
  return (attrs) => source !== undefined && attrs["vcs:source"] === source;
}
