// Builders as `ls` and `inspect` show them: what is written down, and what their nodes say.
import type { BuilderInfo } from "../../../api/index.ts";
import type { Call } from "../../../base/index.ts";
import { formatPlatform, type Platform } from "../../../formats/oci/index.ts";
import {
  askNode,
  driverKind,
  driverName,
  listens,
  type NodeInfo,
  openNode,
} from "../../../remote/driver/index.ts";
import type { NodeRecord } from "../../../remote/store/index.ts";
import type { KnownBuilder, KnownBuilders } from "./known-builders.ts";

export interface NodeView {
  readonly record: NodeRecord;
  readonly info: NodeInfo;
}

export interface BuilderView {
  readonly name: string;
  /** Empty where it could not be found out. */
  readonly driver: string;
  readonly current: boolean;
  readonly dynamic: boolean;
  readonly lastActivity?: Date;
  /** Why the builder as a whole cannot be shown. */
  readonly error?: string;
  readonly nodes: readonly NodeView[];
}

/** How a node is asked, and by when. */
export interface ViewOptions {
  readonly known: KnownBuilders;
  /** Milliseconds. */
  readonly timeout: number;
  /** What the engine in this process says of itself, for a state directory. */
  readonly askEmbedded: (root: string, call: Call) => Promise<BuilderInfo>;
}

/** Asks all nodes at once; nodes that do not answer within `timeout` milliseconds are told so. Does not throw for them. */
export async function viewBuilder(
  builder: KnownBuilder,
  options: ViewOptions,
  call: Call,
): Promise<BuilderView> {
  const { known } = options;
  const lastActivity =
    builder.origin === "store" ? known.store.lastActivity(builder.name) : undefined;
  const about = {
    name: builder.name,
    current: builder.name === known.current,
    dynamic: builder.dynamic,
    ...(lastActivity ? { lastActivity } : {}),
  };
  const driver = driverName(builder);
  try {
    // A name that no driver has makes the whole builder one that cannot be shown.
    driverKind(driver);
    const nodes = await Promise.all(
      builder.nodes.map(async (record) => ({
        record,
        info: await viewNode(builder, record, options, call),
      })),
    );
    const [first] = nodes;
    if (builder.origin === "context" && first?.info.error !== undefined)
      return { ...about, driver: "", error: first.info.error, nodes: [] };
    return { ...about, driver, nodes };
  } catch (error) {
    if (call.signal.aborted) throw error;
    return { ...about, driver, error: wordsOf(error), nodes: [] };
  }
}

const unasked = { ids: [], platforms: [], labels: {}, gcPolicy: [], devices: [] } as const;

async function viewNode(
  builder: KnownBuilder,
  record: NodeRecord,
  { known, timeout, askEmbedded }: ViewOptions,
  call: Call,
): Promise<NodeInfo> {
  try {
    const driver = openNode(builder, record, known.drivers);
    if (driver.inProcess && !(await listens(record.endpoint, call))) {
      const { version, platforms, labels } = await askEmbedded(driver.inProcess.root, call);
      return { ...unasked, status: "running", version, platforms, labels };
    }
    const limit = AbortSignal.timeout(timeout);
    const limited = { signal: AbortSignal.any([call.signal, limit]) };
    try {
      return await askNode(driver, limited);
    } catch (error) {
      if (call.signal.aborted || !limit.aborted) throw error;
      return { ...unasked, status: "error", error: "context deadline exceeded" };
    }
  } catch (error) {
    if (call.signal.aborted) throw error;
    return { ...unasked, status: "error", error: wordsOf(error) };
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Pinned platforms with a star, then those that the node offers besides. */
export function platformNames(
  pinned: readonly Platform[],
  offered: readonly Platform[],
): readonly string[] {
  const names = pinned.map(formatPlatform);
  const others = offered.map(formatPlatform).filter((name) => !names.includes(name));
  return [...new Set(names)].map((name) => `${name}*`).concat([...new Set(others)]);
}

/** Shown first in a table, in this order. */
const majors = [
  "linux/amd64",
  "linux/arm64",
  "linux/arm",
  "linux/ppc64le",
  "linux/s390x",
  "linux/riscv64",
  "linux/mips64",
];
const shownInTable = 4;

/** The platforms of a table's cell: variants are counted, and so is what does not fit. */
export function shortPlatforms(names: readonly string[]): string {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const group = name.replace("*", "").split("/").slice(0, 2).join("/");
    groups.set(group, [...(groups.get(group) ?? []), name]);
  }
  const others = [...groups.keys()].filter((group) => !majors.includes(group)).sort();
  const order = [...majors.filter((group) => groups.has(group)), ...others].slice(0, shownInTable);
  const shown = order.map((group) => groupText(group, groups.get(group) ?? []));
  const left =
    names.length - order.reduce((sum, group) => sum + (groups.get(group)?.length ?? 0), 0);
  return [...shown, ...(left > 0 ? [`(${left} more)`] : [])].join(", ");
}

function groupText(group: string, names: readonly string[]): string {
  if (names.length === 1) return names[0] ?? "";
  return `${group}${names.some((name) => name.endsWith("*")) ? "*" : ""} (+${names.length})`;
}
