// Columns held apart by tabs, as Go's tabwriter lays them out for buildctl: programs cut its output at tabs.

const tab = 8;

/** Lines of rows. A cell that is not its row's last is followed by as many tabs as its column needs. */
export function tabbedText(rows: readonly (readonly string[])[]): string {
  const widths = rows.map((row) => row.slice(0, -1).map(() => 0));
  const deepest = Math.max(0, ...rows.map((row) => row.length - 1));
  for (let column = 0; column < deepest; column++) {
    for (const [from, to] of blocks(rows, column)) {
      const cells = rows.slice(from, to).map((row) => row[column]?.length ?? 0);
      const width = Math.ceil((Math.max(...cells) + 1) / tab) * tab;
      for (const row of widths.slice(from, to)) row[column] = width;
    }
  }
  return rows
    .map((row, at) => `${row.map((cell, i) => padded(cell, widths[at]?.[i])).join("")}\n`)
    .join("");
}

/** Rows that follow one another and have a cell behind this column: they share its width. */
function* blocks(rows: readonly (readonly string[])[], column: number): Iterable<[number, number]> {
  let from: number | undefined;
  for (let at = 0; at <= rows.length; at++) {
    const inside = (rows[at]?.length ?? 0) > column + 1;
    if (inside) from ??= at;
    else if (from !== undefined) {
      yield [from, at];
      from = undefined;
    }
  }
}

function padded(cell: string, width: number | undefined): string {
  return width === undefined ? cell : cell + "\t".repeat(Math.ceil((width - cell.length) / tab));
}

const units = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** `0B`, `512B`, `8.19kB`: decimal units with two decimals, or with as many as there are. */
export function byteText(bytes: number, exact = false): string {
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || exact ? value : value.toFixed(2)}${units[unit]}`;
}

/** A time as Go prints it: `2024-05-01 10:20:30.5 +0000 UTC`. */
export function goTime(time: Date): string {
  return `${time
    .toISOString()
    .replace("T", " ")
    .replace(/\.?0*Z$/, "")} +0000 UTC`;
}
