// Removing items: first what the cache remembers, then files, so that a kill at any moment leaves nothing that lies.
import { existsSync, readdirSync, rmdirSync, rmSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import type { PruneFilter, UsageRecord } from "../../api/index.ts";
import { type Call, fromNodeError, isKilnError, throwIfAborted } from "../../base/index.ts";
import { openCacheContents } from "../cache/index.ts";
import {
  matchesFilters,
  namesRecords,
  parseAlternatives,
  parseFilters,
} from "../retention/index.ts";
import { bytesToKeep, chooseItems, type SpaceLimits } from "./choose.ts";
import { type Inventory, takeInventory, totalSize } from "./inventory.ts";
import type { Item } from "./item.ts";
import { stepsId } from "./notes.ts";
import type { UsageParts } from "./parts.ts";

/** Items removed at once: between batches others get their turn, and a cancelled prune stops. */
const batchSize = 64;

export async function diskUsage(parts: UsageParts, call: Call): Promise<readonly UsageRecord[]> {
  const { items } = await takeInventory(parts, call);
  return items.map((item) => item.record);
}

/** Removes what the filter asks for and tells each record as it goes. Throws `FLAG_INVALID`. */
export async function* prune(
  filter: PruneFilter,
  parts: UsageParts,
  call: Call,
): AsyncIterable<UsageRecord> {
  const filters = parseFilters(filter.filters ?? []);
  const anyOf = parseAlternatives(filter.anyOf ?? []);
  const now = parts.now();
  // Why a step runs again after its result was pruned is told from that memory: it goes by name only.
  const named = namesRecords(filters) || anyOf.named;
  const mayGo = (record: UsageRecord) =>
    (filter.all === true || isPlain(record)) &&
    (named || record.id !== stepsId) &&
    matchesFilters(record, filters, now) &&
    anyOf.holds(record, now);
  yield* removeItems(await takeInventory(parts, call), { limits: filter, mayGo }, parts, call);
}

/** What goes without --all: neither the store's own, nor the memory of builds, nor what named images are made of. */
export function isPlain(record: UsageRecord): boolean {
  return !["internal", "frontend", "history"].includes(record.type) && !record.shared;
}

export interface Removal {
  readonly limits: SpaceLimits;
  readonly mayGo: (record: UsageRecord) => boolean;
}

/** Bytes that this user may still write on the disk, and its size. */
export function diskSpace(root: string): { readonly free: number; readonly total: number } {
  try {
    const { bavail, blocks, bsize } = statfsSync(root);
    return { free: bavail * bsize, total: blocks * bsize };
  } catch (error) {
    throw fromNodeError(error, `asking how full the disk of ${root} is`);
  }
}

/** Tells each record that has gone. What a live process has taken meanwhile stays. */
export async function* removeItems(
  inventory: Inventory,
  { limits, mayGo }: Removal,
  parts: UsageParts,
  call: Call,
): AsyncIterable<UsageRecord> {
  const used = totalSize(inventory.items);
  const keepBytes = bytesToKeep(limits, used, diskSpace(parts.root).free);
  const chosen = chooseItems(inventory.items, { mayGo, keepBytes });
  for (let at = 0; at < chosen.length; at += batchSize) {
    throwIfAborted(call);
    yield* await removeBatch(chosen.slice(at, at + batchSize), inventory, parts, call);
  }
}

async function removeBatch(
  batch: readonly Item[],
  { snapshots }: Inventory,
  parts: UsageParts,
  call: Call,
): Promise<readonly UsageRecord[]> {
  const layers = new Set(batch.flatMap(({ what }) => (what.kind === "layer" ? [what.layer] : [])));
  const blobs = batch.flatMap(({ what }) => (what.kind === "blob" ? [what.blob] : []));
  const stacks = snapshots.stacks
    .filter((stack) => !stack.inUse && stack.layers.some((layer) => layers.has(layer.id)))
    .map((stack) => stack.id);
  const forgotten = stacks.length === 0 || forget(stacks, parts);
  for (const { what } of batch) if (what.kind === "image") parts.images.delete(what.name);
  const gone = new Set<string>(
    await parts.snapshotter.remove({ stacks, layers: [...layers] }, call),
  );
  if (!forgotten) forget(stacks, parts);
  for (const digest of await parts.content.collect(blobs)) gone.add(digest);
  for (const [shelf, { things }] of parts.kept.entries()) {
    const names = batch.flatMap(({ what }) =>
      what.kind === "kept" && what.shelf === shelf ? [what.name] : [],
    );
    for (const name of await things.collect(names)) gone.add(name);
  }
  for (const { record, what } of batch) {
    if (what.kind === "steps") parts.steps.clear();
    else if (what.kind === "build")
      for (const path of what.paths) rmSync(path, { recursive: true, force: true });
    else continue;
    gone.add(record.id);
  }
  const removed = batch.filter(({ record, what }) => what.kind === "image" || gone.has(record.id));
  for (const { what } of removed) if (what.kind === "blob") removeNotes(what.notes);
  return removed.map((item) => item.record);
}

/**
 * False on a disk so full that not even records can be deleted: their results go first then, and builds that meet such a record
 * run the step.
 */
function forget(results: readonly string[], { metadata }: UsageParts): boolean {
  try {
    openCacheContents(metadata).forget(new Set(results));
    return true;
  } catch (error) {
    if (!isKilnError(error, "DISK_FULL")) throw error;
    return false;
  }
}

/** Notes without their blob are of no use; their folders go with the last one. */
function removeNotes(notes: readonly string[]): void {
  for (const note of notes) {
    rmSync(note, { force: true });
    const folder = dirname(note);
    try {
      if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
    } catch {
      // Somebody has just put another one there.
    }
  }
}
