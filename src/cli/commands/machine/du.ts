// kiln du: what the builder keeps on disk.
import type { UsageRecord } from "../../../api/index.ts";
import { KilnError } from "../../../base/index.ts";
import { parseTemplate } from "../../../formats/template/index.ts";
import { ageText, sizeText, tableText } from "../../report/index.ts";
import { goTime, tabbedText } from "../buildctl/tabbed-text.ts";
import { openBuilder } from "../builders/builder.ts";
import { type Command, defineCommand } from "../command.ts";
import { rowStruct } from "./row-format.ts";
import { matchesFilters, parseFilters } from "./usage.ts";

export const du: Command = defineCommand({
  opensStore: true,
  spec: {
    path: ["du"],
    args: { min: 0, max: 0 },
    summary: "Show disk usage of the build cache",
    flags: {
      filter: { type: "stringArray", value: "key=value", usage: "Provide filter values" },
      format: { type: "string", value: "table|pretty|json|TEMPLATE", usage: "Format the output" },
      timeout: {
        type: "duration",
        default: "20s",
        usage: "Accepted for compatibility",
        hidden: true,
      },
      verbose: { type: "bool", usage: "Shorthand for --format=pretty" },
    },
  },
  async run({ values }, _args, world) {
    if (values.verbose && values.format !== "")
      throw new KilnError("FLAG_INVALID", "--format and --verbose cannot be used together");
    const print = printer(values.verbose ? "pretty" : values.format || "table");
    const filters = parseFilters(values.filter);
    await using builder = await openBuilder(world);
    const now = world.now();
    const records = (await builder.diskUsage(world.call)).filter((record) =>
      matchesFilters(record, filters, now),
    );
    world.stdout.write(print(records, now));
    return 0;
  },
});

type Printer = (records: readonly UsageRecord[], now: Date) => string;

/** Throws for formats that are none, before anything is counted. */
function printer(format: string): Printer {
  const known: Readonly<Record<string, Printer>> = { table, pretty, json };
  const printed = Object.hasOwn(known, format) ? known[format] : undefined;
  if (printed) return printed;
  const asTable = /^table\s+/.exec(format);
  if (!asTable && !format.includes("{{")) {
    throw new KilnError("UNSUPPORTED", `--format=${format} is not supported`, {
      hint: "Formats are table, pretty, json, and Go templates such as '{{.ID}} {{.Size}}'.",
    });
  }
  const text = format
    .slice(asTable?.[0].length ?? 0)
    .replaceAll("\\t", "\t")
    .replaceAll("\\n", "\n");
  const template = parseTemplate(text);
  return (records, now) => {
    const rows = records.map((record) => {
      const row = templateRow(record, now);
      return template.execute(rowStruct(asTable ? marked(row, record) : row, headings));
    });
    if (!asTable) return rows.map((row) => `${row}\n`).join("");
    return tableText(
      [template.execute(rowStruct(headings, headings)), ...rows].map((row) => row.split("\t")),
      3,
      10,
    );
  };
}

const headings = {
  ID: "ID",
  Parents: "PARENTS",
  CreatedAt: "CREATED AT",
  Mutable: "MUTABLE",
  Reclaimable: "RECLAIMABLE",
  Shared: "SHARED",
  Size: "SIZE",
  Description: "DESCRIPTION",
  UsageCount: "USAGE COUNT",
  LastUsedAt: "LAST ACCESSED",
  Type: "TYPE",
};

/** The fields of buildx's templates, as text. */
function templateRow(record: UsageRecord, now: Date): Record<keyof typeof headings, string> {
  return {
    ID: record.id,
    Parents: record.parents.join(", "),
    CreatedAt: goTime(record.createdAt),
    Mutable: String(record.mutable),
    Reclaimable: String(!record.inUse),
    Shared: String(record.shared),
    Size: sizeText(record.size),
    Description: record.description,
    UsageCount: String(record.usageCount),
    LastUsedAt: record.lastUsedAt ? ageText(record.lastUsedAt, now) : "",
    Type: record.type,
  };
}

/** Tables mark what may change, and what is shared. */
function marked<T extends { readonly ID: string; readonly Size: string }>(
  row: T,
  { mutable, shared }: UsageRecord,
): T {
  return { ...row, ID: row.ID + (mutable ? "*" : ""), Size: row.Size + (shared ? "*" : "") };
}

function table(records: readonly UsageRecord[], now: Date): string {
  const rows = records.map((record) => [
    record.id + (record.mutable ? "*" : ""),
    String(!record.inUse),
    sizeText(record.size) + (record.shared ? "*" : ""),
    record.lastUsedAt ? ageText(record.lastUsedAt, now) : "",
  ]);
  return (
    tableText([["ID", "RECLAIMABLE", "SIZE", "LAST ACCESSED"], ...rows], 3, 10) + totals(records)
  );
}

function totals(records: readonly UsageRecord[]): string {
  const sum = (some: readonly UsageRecord[]) =>
    some.reduce((total, record) => total + record.size, 0);
  const shared = sum(records.filter((record) => record.shared));
  const rows = [
    ...(shared > 0
      ? [
          ["Shared:", sizeText(shared)],
          ["Private:", sizeText(sum(records) - shared)],
        ]
      : []),
    ["Reclaimable:", sizeText(sum(records.filter((record) => !record.inUse)))],
    ["Total:", sizeText(sum(records))],
  ];
  return tabbedText(rows);
}

function pretty(records: readonly UsageRecord[], now: Date): string {
  return (
    records.map((record) => `${tableText(prettyRows(record, now))}\n`).join("") + totals(records)
  );
}

function prettyRows(record: UsageRecord, now: Date): readonly (readonly string[])[] {
  return [
    ["ID:", record.id],
    ...(record.parents.length > 0 ? [["Parents:", record.parents.join(", ")]] : []),
    ["Created at:", goTime(record.createdAt)],
    ["Mutable:", String(record.mutable)],
    ["Reclaimable:", String(!record.inUse)],
    ["Shared:", String(record.shared)],
    ["Size:", sizeText(record.size)],
    ...(record.description === "" ? [] : [["Description:", record.description]]),
    ["Usage count:", String(record.usageCount)],
    ...(record.lastUsedAt ? [["Last used:", ageText(record.lastUsedAt, now)]] : []),
    ...(record.type === "" ? [] : [["Type:", record.type]]),
  ];
}

/** One document a line, with the field names of buildx's templates. */
function json(records: readonly UsageRecord[]): string {
  return records
    .map((record) => ({
      ID: record.id,
      Parents: record.parents,
      CreatedAt: record.createdAt,
      Mutable: record.mutable,
      Reclaimable: !record.inUse,
      Shared: record.shared,
      Size: record.size,
      Description: record.description,
      UsageCount: record.usageCount,
      LastUsedAt: record.lastUsedAt,
      Type: record.type,
    }))
    .map((document) => `${JSON.stringify(document)}\n`)
    .join("");
}
