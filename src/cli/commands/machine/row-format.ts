// --format of lists: `table`, `table TEMPLATE`, `json`, or a template for each row, as docker's formatter has it.
import { parseTemplate, Struct } from "../../../formats/template/index.ts";
import { tableText } from "../../report/index.ts";

export type Row = Readonly<Record<string, string>>;

/** A row for templates: a field that rows do not have is a mistake, as in Go, and one that this row lacks is empty. */
export function rowStruct(
  row: Readonly<Record<string, unknown>>,
  headings: Readonly<Record<string, unknown>>,
): Struct {
  const none = Object.fromEntries(Object.keys(headings).map((field) => [field, ""]));
  return new Struct(row, { ...none, ...row });
}

/** `standard` are the columns of a plain `table`; `headings` says what stands above each field. */
export function rowsText(
  format: string,
  rows: readonly Row[],
  headings: Row,
  standard: readonly string[],
): string {
  if (format === "json") return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  if (format === "" || format === "table") {
    const cells = [headings, ...rows].map((row) => standard.map((field) => row[field] ?? ""));
    return tableText(cells, 3, 10);
  }
  const asTable = /^table\s+/.exec(format);
  const text = format
    .slice(asTable?.[0].length ?? 0)
    .replaceAll("\\t", "\t")
    .replaceAll("\\n", "\n");
  const template = parseTemplate(text);
  const filled = (row: Row) => template.execute(rowStruct(row, headings));
  if (!asTable) return rows.map((row) => `${filled(row)}\n`).join("");
  return tableText(
    [headings, ...rows].map((row) => filled(row).split("\t")),
    3,
    10,
  );
}
