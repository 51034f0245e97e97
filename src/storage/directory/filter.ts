// Which files of a directory are wanted, by the patterns of a request.
import type { FileFilter } from "../../api/index.ts";
import { createPathFilter, type PathFilter } from "../../formats/patterns/index.ts";
import { followPaths } from "./follow-paths.ts";

/** As fsutil: followed paths and their links are further include patterns. Undefined wants everything. */
export function compileFilter(directory: string, filter: FileFilter): PathFilter | undefined {
  const { include = [], exclude = [], followPaths: paths = [] } = filter;
  const followed = paths.length === 0 ? [] : followPaths(directory, paths);
  const includes = followed === undefined ? [] : [...new Set([...include, ...followed])];
  if (includes.length === 0 && exclude.length === 0) return undefined;
  return createPathFilter(includes, exclude);
}
