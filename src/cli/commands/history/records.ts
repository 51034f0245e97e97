// Build records of the chosen builder's nodes, and which of them a word of the command line means.
import type { BuildHistory, BuildRecord } from "../../../api/index.ts";
import { AsyncStack, KilnError } from "../../../base/index.ts";
import { type BuildOrigin, openBuildOrigins } from "../../../remote/store/index.ts";
import { openBuilderNodes } from "../builders/builder.ts";
import { storeDirectory } from "../builders/store-place.ts";
import type { RunWorld } from "../command.ts";

/** A record and where it is kept. */
export interface FoundRecord {
  readonly record: BuildRecord;
  readonly builder: string;
  readonly node: string;
  readonly history: BuildHistory;
  /** Where on this machine it was started from, where that is noted. */
  readonly origin?: BuildOrigin;
}

/** The histories of a builder's nodes. Disposing it closes the nodes. */
export interface Histories extends AsyncDisposable {
  readonly builder: string;
  readonly nodes: readonly { readonly name: string; readonly history: BuildHistory }[];
  /** All records, newest first. */
  all(): Promise<readonly FoundRecord[]>;
}

/** Opens the builder. Throws `UNSUPPORTED` where none of its nodes remembers builds. */
export async function openHistories(world: RunWorld): Promise<Histories> {
  await using stack = new AsyncStack();
  const { name, nodes } = await openBuilderNodes(world);
  for (const { builder } of nodes) stack.use(builder);
  const kept = nodes.flatMap(({ name: node, builder: { history } }) =>
    history ? [{ name: node, history }] : [],
  );
  if (kept.length === 0)
    throw new KilnError("UNSUPPORTED", `builder ${name} does not remember builds`);
  const owned = stack.move();
  const origins = openBuildOrigins(storeDirectory(world.env));
  const originOf = (node: string, ref: string) => {
    const origin = origins.read(name, node, ref);
    return origin ? { origin } : {};
  };
  return {
    builder: name,
    nodes: kept,
    async all() {
      const found: FoundRecord[] = [];
      for (const { name: node, history } of kept)
        for (const record of await recordsOf(history, world))
          found.push({ record, builder: name, node, history, ...originOf(node, record.ref) });
      return found.sort((a, b) => b.record.createdAt.getTime() - a.record.createdAt.getTime());
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** What a node remembers now; the last word about each build counts. */
async function recordsOf(history: BuildHistory, world: RunWorld): Promise<readonly BuildRecord[]> {
  const records = new Map<string, BuildRecord>();
  for await (const { type, record } of history.listen({ earlyExit: true }, world.call)) {
    if (type === "deleted") records.delete(record.ref);
    else records.set(record.ref, record);
  }
  return [...records.values()];
}

/**
 * The record that a word means: `builder/node/ref`, a ref, the beginning of one, or `^N`, the Nth before the newest. Empty
 * is the newest. Throws `RECORD_NOT_FOUND`, or `FLAG_INVALID` for a beginning of several.
 */
export function pickRecord(word: string, all: readonly FoundRecord[]): FoundRecord {
  const offset = word === "" ? "^0" : word;
  const asOffset = /^\^(\d*)$/.exec(offset);
  if (asOffset) {
    const found = all[Number(asOffset[1] || 1)];
    if (found) return found;
    throw notFound(all.length === 0 ? "no builds are remembered" : `there is no build ${offset}`);
  }
  const ref = word.split("/").at(-1) ?? "";
  const exact = all.find(({ record }) => record.ref === word || record.ref === ref);
  if (exact) return exact;
  const begun = all.filter(({ record }) => ref !== "" && record.ref.startsWith(ref));
  const [first, second] = begun;
  if (first && !second) return first;
  if (!first) throw notFound(`no record found for ref ${JSON.stringify(word)}`);
  throw new KilnError("FLAG_INVALID", `${word} is the beginning of ${begun.length} builds`, {
    hint: `They are ${begun.map(({ record }) => record.ref).join(", ")}.`,
  });
}

function notFound(message: string): KilnError {
  return new KilnError("RECORD_NOT_FOUND", message, {
    hint: "Run 'kiln history ls' to see which there are.",
  });
}

/** Opens the builder, finds one record, and works with it. */
export async function withRecord<T>(
  word: string,
  world: RunWorld,
  work: (found: FoundRecord, all: readonly FoundRecord[]) => Promise<T>,
): Promise<T> {
  await using histories = await openHistories(world);
  const all = await histories.all();
  return await work(pickRecord(word, all), all);
}
