// Rows in columns, as Go's tabwriter lays them out: two blanks between, nothing behind the last.

/** Lines of a table whose columns are as wide as their widest cell and the gap behind it, but no less than `least`. */
export function tableText(rows: readonly (readonly string[])[], gap = 2, least = 0): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.entries())
      widths[at] = Math.max(widths[at] ?? 0, cell.length, least - gap);
  }
  return rows
    .map((row) => `${row.map((cell, at) => pad(cell, at, row, widths, gap)).join("")}\n`)
    .join("");
}

function pad(
  cell: string,
  at: number,
  row: readonly string[],
  widths: readonly number[],
  gap: number,
): string {
  return at === row.length - 1 ? cell : cell.padEnd((widths[at] ?? 0) + gap);
}
