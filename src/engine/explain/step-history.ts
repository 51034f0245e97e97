// What is remembered of steps that ran, besides their results: enough to tell how a later one differs. Bounded.
import type { Digest } from "../../base/index.ts";
import type { Metadata, MetadataTable } from "../../storage/metadata/index.ts";
import type { Fetched } from "../proxy/index.ts";
import type { CacheKeyId, ContentListing } from "../solver/index.ts";
import { type PackedListing, packListing, unpackListing } from "./listing-text.ts";

/** One step that ran. */
export interface StepMemory {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** `CacheMap.digest`. */
  readonly step: Digest;
  /** What the step is, by field. */
  readonly fields: Readonly<Record<string, string>>;
  readonly inputs: readonly InputMemory[];
  /** It did not come to its end. */
  readonly failed?: true;
}

export interface InputMemory {
  readonly name: CacheKeyId;
  readonly content?: CacheKeyId;
  /** Identifier of the source that the input is. */
  readonly source?: string;
  /** What that stood for: a commit, the digest of a file. */
  readonly pin?: string;
}

/** One step of the last build of a project, run or cached. */
export interface BuiltStep {
  readonly name: string;
  readonly platform?: string;
  readonly step: Digest;
  readonly key: CacheKeyId;
}

export interface LastBuild {
  readonly at: number;
  readonly steps: readonly BuiltStep[];
}

/** What one build adds. */
export interface BuildMemory {
  readonly project: string;
  readonly build: LastBuild;
  readonly ran: ReadonlyMap<CacheKeyId, StepMemory>;
  readonly listings: ReadonlyMap<CacheKeyId, ContentListing>;
}

export interface StepHistory {
  step(key: CacheKeyId): StepMemory | undefined;
  listing(content: CacheKeyId): ContentListing | undefined;
  lastBuild(project: string): LastBuild | undefined;
  /** What a step fetched through a proxy when it last ran. */
  fetched(key: CacheKeyId): Fetched | undefined;
  rememberFetched(key: CacheKeyId, fetched: Fetched): void;
  /** Of all that is remembered, in bytes, and when the latest build was, in milliseconds since 1970. */
  extent(): { readonly size: number; readonly at: number | undefined };
  /** Forgets everything. */
  clear(): void;
  /** All or nothing. The oldest are forgotten beyond what is kept. */
  remember(memory: BuildMemory): void;
}

/** How many are kept of each kind; listings also by their size, in characters. */
const kept = { steps: 20_000, builds: 1000, listings: 5000, fetched: 5000 } as const;
const keptListingText = 64 * 1024 * 1024;
const keptFetchedText = 32 * 1024 * 1024;

/** Opens the history that `metadata` (lent) holds, beside the cache of the same store. */
export function openStepHistory(metadata: Metadata): StepHistory {
  const steps = createShelf<StepMemory>(metadata, "history-steps", { count: kept.steps });
  const builds = createShelf<LastBuild>(metadata, "history-builds", { count: kept.builds });
  const listings = createShelf<PackedListing>(metadata, "history-listings", {
    count: kept.listings,
    text: keptListingText,
  });
  const fetched = createShelf<Fetched>(metadata, "history-fetched", {
    count: kept.fetched,
    text: keptFetchedText,
  });
  const shelves = [steps, builds, listings, fetched];
  return {
    fetched: (key) => fetched.get(key),
    rememberFetched: (key, what) => metadata.transaction(() => fetched.put(key, what)),
    step: (key) => steps.get(key),
    listing: (content) => unpackListing(listings.get(content)),
    lastBuild: (project) => builds.get(project),
    extent() {
      const times = builds.values().map(({ at }) => at);
      return {
        size: shelves.reduce((sum, shelf) => sum + shelf.size(), 0),
        at: times.length === 0 ? undefined : Math.max(...times),
      };
    },
    clear() {
      metadata.transaction(() => {
        for (const shelf of shelves) shelf.clear();
      });
    },
    remember({ project, build, ran, listings: seen }) {
      metadata.transaction(() => {
        for (const [key, step] of ran) steps.put(key, step);
        for (const [content, listing] of seen) {
          if (!listings.get(content)) listings.put(content, packListing(listing));
        }
        builds.put(project, build);
      });
    },
  };
}

/** A table of limited size; what was first put goes first. Values that are put again keep their place. */
interface Shelf<Value> {
  get(key: string): Value | undefined;
  /** Only inside a transaction. */
  put(key: string, value: Value): void;
  /** In bytes, as text. */
  size(): number;
  values(): readonly Value[];
  /** Only inside a transaction. */
  clear(): void;
}

interface Shelved<Value> {
  readonly value: Value;
  readonly number: number;
}

/** Where a shelf begins and ends, and how much text is on it. */
interface Extent {
  readonly first: number;
  readonly next: number;
  readonly text: number;
}

const empty: Extent = { first: 0, next: 0, text: 0 };

function createShelf<Value>(
  metadata: Metadata,
  name: string,
  limit: { readonly count: number; readonly text?: number },
): Shelf<Value> {
  const values: MetadataTable<Shelved<Value>> = metadata.table(name);
  const order: MetadataTable<{ readonly key: string; readonly text: number }> = metadata.table(
    `${name}-order`,
  );
  const extents: MetadataTable<Extent> = metadata.table("history-extents");
  const dropFirst = (extent: Extent): Extent => {
    const entry = order.get(`${extent.first}`);
    order.delete(`${extent.first}`);
    if (entry) values.delete(entry.key);
    return { ...extent, first: extent.first + 1, text: extent.text - (entry?.text ?? 0) };
  };
  return {
    get: (key) => values.get(key)?.value,
    size: () => extents.get(name)?.text ?? 0,
    values: () => values.range("").map(({ value }) => value.value),
    clear() {
      for (const { key } of values.range("")) values.delete(key);
      for (const { key } of order.range("")) order.delete(key);
      extents.delete(name);
    },
    put(key, value) {
      const before = values.get(key);
      if (before) {
        values.put(key, { ...before, value });
        return;
      }
      let extent = extents.get(name) ?? empty;
      const text = JSON.stringify(value).length;
      values.put(key, { value, number: extent.next });
      order.put(`${extent.next}`, { key, text });
      extent = { ...extent, next: extent.next + 1, text: extent.text + text };
      const tooMuch = () =>
        extent.next - extent.first > limit.count || extent.text > (limit.text ?? Infinity);
      while (tooMuch() && extent.first < extent.next - 1) extent = dropFirst(extent);
      extents.put(name, extent);
    },
  };
}
