// Outlines and target lists for people, in the columns of BuildKit's clients.
import type { Outline } from "./outline.ts";
import type { TargetList } from "./targets.ts";

/** What a target can be given. */
export function outlineText({ name, description, args, secrets, ssh }: Outline): string {
  const head = [
    ...(name || description ? [["TARGET:", name || "(default)"]] : []),
    ...(description ? [["DESCRIPTION:", description]] : []),
  ];
  const needs = (title: string, list: Outline["secrets"] = []): readonly (readonly string[])[] =>
    list.length === 0
      ? []
      : [[title, "REQUIRED"], ...list.map((one) => [one.name, one.required ? "true" : ""])];
  const tables = [
    args ? [["BUILD ARG", "VALUE", "DESCRIPTION"], ...args.map(argRow)] : [],
    needs("SECRET", secrets),
    needs("SSH", ssh),
  ];
  const texts = [columns(head, 1), ...tables.map((rows) => columns(rows, 3))];
  return texts.map((text) => (text === "" ? "" : `${text}\n`)).join("");
}

/** Which stages a file has. */
export function targetsText({ targets }: TargetList): string {
  const rows = (targets ?? []).map(({ name = "", description = "", default: isDefault }) => [
    isDefault ? `${name} (default)`.trim() : name,
    description,
  ]);
  return columns([["TARGET", "DESCRIPTION"], ...rows], 1);
}

function argRow({
  name,
  value = "",
  description = "",
}: NonNullable<Outline["args"]>[number]): readonly string[] {
  return [name, value, description];
}

/** Every column as wide as its widest cell and the gap; the last one as it is. Go's text/tabwriter. */
export function columns(rows: readonly (readonly string[])[], gap: number): string {
  const length = (cell = "") => [...cell].length;
  const widths = (rows[0] ?? []).map(
    (_, at) => Math.max(...rows.map((row) => length(row[at]))) + gap,
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) =>
        at === row.length - 1 ? cell : cell + " ".repeat((widths[at] ?? 0) - length(cell)),
      )
      .join("");
  return rows.map((row) => `${line(row)}\n`).join("");
}
