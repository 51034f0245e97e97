// What builders spent, row by row and side by side.
import { median, type Spent } from "./neighbour.ts";

/** All rounds of each builder, by row and then by the builder's name. */
export type Results = ReadonlyMap<string, ReadonlyMap<string, readonly Spent[]>>;

export function printTable(names: readonly string[], results: Results): void {
  const line = (cells: readonly string[]) => process.stdout.write(`| ${cells.join(" | ")} |\n`);
  line(["row", ...names, "of the best's time, processor time", "of buildx's memory"]);
  line(["---", ...names.map(() => "---"), "---", "---"]);
  for (const [row, by] of results) {
    const medians = new Map([...by].map(([name, list]) => [name, middle(list)]));
    const cells = names.map((name) => {
      const spent = medians.get(name);
      return spent ? shown(spent) : "-";
    });
    line([row, ...cells, timesOfBest(medians), memoryOfBuildx(medians)]);
  }
}

/** `1.25 s (cpu 1.00; 57 + 230 MB; 0.1 s unpacking)`: the command's memory and the daemons'. */
export function shown({ wall, cpu, memory, daemonMemory, unpacking }: Spent): string {
  const mib = (bytes: number) => Math.round(bytes / (1 << 20));
  const peaks = [
    ...(memory === undefined ? [] : [`${mib(memory)}`]),
    ...(daemonMemory > 0 ? [`${mib(daemonMemory)}`] : []),
  ];
  const unpacked = isLong(unpacking) ? `; ${unpacking.toFixed(1)} s unpacking` : "";
  const seconds = (value: number) => value.toFixed(value < 10 ? 2 : 1);
  return `${seconds(wall)} s (cpu ${seconds(cpu)}; ${peaks.join(" + ")} MB${unpacked})`;
}

/** Of the neighbour that was fastest; in brackets, of what it took without unpacking. */
function timesOfBest(medians: ReadonlyMap<string, Spent>): string {
  const own = medians.get("kiln");
  const [best] = [...medians]
    .filter(([name]) => name !== "kiln")
    .map(([, spent]) => spent)
    .toSorted((a, b) => a.wall - b.wall);
  if (!own || !best) return "-";
  const packed = isLong(best.unpacking) ? ` (${ratio(own.wall, best.wall - best.unpacking)})` : "";
  return `${ratio(own.wall, best.wall)}${packed}, ${ratio(own.cpu, best.cpu)}`;
}

function memoryOfBuildx(medians: ReadonlyMap<string, Spent>): string {
  const own = medians.get("kiln")?.memory;
  const other = medians.get("buildx");
  if (own === undefined || other?.memory === undefined) return "-";
  return ratio(own, other.memory + other.daemonMemory);
}

const ratio = (mine: number, other: number): string => (mine / other).toFixed(2);
const isLong = (seconds: number): boolean => seconds >= 0.1;

function middle(list: readonly Spent[]): Spent {
  const of = (value: (one: Spent) => number) => median(list.map(value));
  return {
    wall: of(({ wall }) => wall),
    cpu: of(({ cpu }) => cpu),
    memory: list[0]?.memory === undefined ? undefined : of(({ memory }) => memory ?? 0),
    daemonMemory: of(({ daemonMemory }) => daemonMemory),
    unpacking: of(({ unpacking }) => unpacking),
  };
}
