// Looking into results: mounted for as long as somebody looks, or read in place where the files lie ready.
import type { Call } from "../../base/index.ts";
import { withMounted } from "../../storage/snapshot/index.ts";
import { hostTreeContent } from "../source/index.ts";
import { directoryView, emptyView, type FileView } from "./file/view.ts";
import type { OpResult } from "./result.ts";

/** Calls `use` with a read-only view of the result's files. */
export async function withView<T>(
  result: OpResult,
  call: Call,
  use: (view: FileView) => T | Promise<T>,
): Promise<T> {
  if (!result) return use(emptyView);
  if (result.tree) return use(hostTreeContent(result.tree));
  return withMounted(await result.mounts(call), call, (directory) => use(directoryView(directory)));
}

/** Calls `use` with a view of each result, in the same order. */
export async function withViews<T>(
  results: readonly OpResult[],
  call: Call,
  use: (views: readonly FileView[]) => T | Promise<T>,
): Promise<T> {
  const open = (at: number, views: readonly FileView[]): T | Promise<T> =>
    at === results.length
      ? use(views)
      : withView(results[at], call, (view) => open(at + 1, [...views, view]));
  return open(0, []);
}
