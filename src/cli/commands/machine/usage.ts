// What `du` and `prune` share: filters, which the builder understands too, and how they are asked for.
import type { PruneFilter } from "../../../api/index.ts";
import { parseFilters } from "../../../engine/retention/index.ts";

export { matchesFilters, parseFilters } from "../../../engine/retention/index.ts";

/** What `prune`'s flags ask of the builder. Filters are checked here and go over the wire as text. */
export function pruneFilter(values: {
  readonly all: boolean;
  readonly filter: readonly string[];
  readonly reserved: number;
  readonly "max-used-space": number;
  readonly "min-free-space": number;
}): PruneFilter {
  parseFilters(values.filter);
  const amount = (key: string, bytes: number) => (bytes > 0 ? { [key]: bytes } : {});
  return {
    ...(values.all ? { all: true } : {}),
    ...(values.filter.length > 0 ? { filters: values.filter } : {}),
    ...amount("reservedSpace", values.reserved),
    ...amount("maxUsedSpace", values["max-used-space"]),
    ...amount("minFreeSpace", values["min-free-space"]),
  };
}
