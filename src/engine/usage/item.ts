// One thing on disk that can be removed by itself: a record, and what else pruning must know.
import type { UsageRecord } from "../../api/index.ts";
import type { Digest } from "../../base/index.ts";

/** What an item is on disk, by what removes it. */
export type ItemKind =
  | { readonly kind: "layer"; readonly layer: string; readonly notes: readonly string[] }
  | { readonly kind: "blob"; readonly blob: Digest; readonly notes: readonly string[] }
  | { readonly kind: "image"; readonly name: string }
  | { readonly kind: "kept"; readonly shelf: number; readonly name: string }
  /** Files that nothing refers to. */
  | { readonly kind: "build"; readonly paths: readonly string[] }
  /** The memory of steps. */
  | { readonly kind: "steps" }
  /** Indexes and directories: never removed. */
  | { readonly kind: "rest" };

export interface Item {
  readonly record: UsageRecord;
  readonly what: ItemKind;
  /** Ids of the items that are worth nothing without this one: they go first. */
  readonly neededBy: readonly string[];
  /** It goes as soon as all that needed it has gone, whatever was asked for. */
  readonly derived: boolean;
}

/** When it was last of use, in milliseconds since 1970. */
export function lastUse({ lastUsedAt, createdAt }: UsageRecord): number {
  return (lastUsedAt ?? createdAt).getTime();
}
