// Which items to remove, and in which order: a pure decision.
import type { UsageRecord } from "../../api/index.ts";
import { type Item, lastUse } from "./item.ts";

export interface Goal {
  /** Whether the item may go; what others need goes only after them. */
  readonly mayGo: (record: UsageRecord) => boolean;
  /** Stop as soon as no more than this is left; 0 removes all that may go. */
  readonly keepBytes: number;
}

/** What space is asked for, in bytes; absent and 0 alike say nothing. */
export interface SpaceLimits {
  readonly reservedSpace?: number;
  readonly maxUsedSpace?: number;
  readonly minFreeSpace?: number;
}

/**
 * How much may be left, as BuildKit reckons it: everything up to the maximum, less where the disk is too full, but never less than
 * is reserved. Infinity where nothing has to go.
 */
export function bytesToKeep(
  { reservedSpace = 0, maxUsedSpace = 0, minFreeSpace = 0 }: SpaceLimits,
  used: number,
  free: number,
): number {
  if (reservedSpace === 0 && maxUsedSpace === 0 && minFreeSpace === 0) return 0;
  let keep = maxUsedSpace || Number.POSITIVE_INFINITY;
  if (minFreeSpace > free) keep = Math.min(keep, used - (minFreeSpace - free));
  // Alone, what is reserved is what is to be kept.
  if (maxUsedSpace === 0 && minFreeSpace === 0) keep = reservedSpace;
  return Math.max(keep, reservedSpace, 1);
}

/** Least recently used first, and nothing before what needs it. */
export function chooseItems(items: readonly Item[], { mayGo, keepBytes }: Goal): readonly Item[] {
  let left = items.reduce((sum, { record }) => sum + record.size, 0);
  const present = new Map(items.map((item) => [item.record.id, item]));
  const needs = new Map<string, Item[]>();
  for (const item of items) {
    for (const needer of item.neededBy) needs.set(needer, [...(needs.get(needer) ?? []), item]);
  }
  const chosen = new Set<Item>();
  const waiting = new Set<Item>();
  const isFree = (item: Item) => item.neededBy.every((id) => !present.has(id));
  const take = (first: Item): void => {
    const pending = [first];
    for (let item = pending.pop(); item !== undefined; item = pending.pop()) {
      if (chosen.has(item)) continue;
      chosen.add(item);
      waiting.delete(item);
      present.delete(item.record.id);
      left -= item.record.size;
      for (const below of needs.get(item.record.id) ?? []) {
        const goes = below.derived ? !below.record.inUse : waiting.has(below) && left > keepBytes;
        if (goes && isFree(below)) pending.push(below);
      }
    }
  };
  const candidates = items.filter((item) => canGo(item) && !item.derived && mayGo(item.record));
  for (const item of candidates.toSorted((a, b) => lastUse(a.record) - lastUse(b.record))) {
    if (left <= keepBytes) break;
    if (isFree(item)) take(item);
    else waiting.add(item);
  }
  if (left > keepBytes) for (const item of circles(waiting, present)) take(item);
  return [...chosen];
}

function canGo({ what, record }: Item): boolean {
  return what.kind !== "rest" && !record.inUse;
}

/** Items that wait for nothing but each other: the same layers stacked in two orders. */
function circles(
  waiting: ReadonlySet<Item>,
  present: ReadonlyMap<string, Item>,
): ReadonlySet<Item> {
  const left = new Set(waiting);
  for (let before = -1; before !== left.size; ) {
    before = left.size;
    for (const item of left) {
      const needers = item.neededBy.map((id) => present.get(id));
      if (needers.some((one) => one !== undefined && !left.has(one))) left.delete(item);
    }
  }
  return left;
}
