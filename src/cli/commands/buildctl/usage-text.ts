// What buildctl du and prune print of records.
import type { control } from "../../../formats/proto/index.ts";
import { ageText } from "../../report/index.ts";
import { parentsOf } from "./format.ts";
import { byteText, goTime, tabbedText } from "./tabbed-text.ts";

type Usage = control.UsageRecord;

export const usageHeadings: readonly string[] = ["ID", "RECLAIMABLE", "SIZE", "LAST ACCESSED"];

/** Columns are as wide whichever records there are, because prune prints them as they come. */
export function usageRow(record: Usage, now: Date): readonly string[] {
  return [
    (record.ID + (record.Mutable ? "*" : "")).padEnd(71),
    String(!record.InUse).padEnd(11),
    byteText(record.Size) + (record.Shared ? "*" : ""),
    record.LastUsedAt ? ageText(record.LastUsedAt, now) : "",
  ];
}

/** One record, its fields below one another, with an empty line behind. */
export function usageBlock(record: Usage): string {
  const parents = parentsOf(record);
  const optional = (name: string, value: string) => (value === "" ? [] : [[name, value]]);
  return `${tabbedText([
    ["ID:", record.ID],
    ...optional(parents.length > 1 ? "Parents:" : "Parent:", parents.join(";")),
    ["Created at:", goTime(record.CreatedAt ?? new Date(0))],
    ["Mutable:", String(record.Mutable)],
    ["Reclaimable:", String(!record.InUse)],
    ["Shared:", String(record.Shared)],
    ["Size:", byteText(record.Size)],
    ...optional("Description:", record.Description),
    ["Usage count:", String(record.UsageCount)],
    ...(record.LastUsedAt ? [["Last used:", goTime(record.LastUsedAt)]] : []),
    ...optional("Type:", record.RecordType),
  ])}\n`;
}

/** Sums of all records; the shared ones apart where there are any. */
export function usageSummary(records: readonly Usage[]): string {
  const sum = (some: readonly Usage[]) => some.reduce((total, { Size }) => total + Size, 0);
  const shared = sum(records.filter(({ Shared }) => Shared));
  const total = sum(records);
  return tabbedText([
    ...(shared > 0
      ? [
          ["Shared:", byteText(shared)],
          ["Private:", byteText(total - shared)],
        ]
      : []),
    ["Reclaimable:", byteText(sum(records.filter(({ InUse }) => !InUse)))],
    ["Total:", byteText(total)],
  ]);
}
