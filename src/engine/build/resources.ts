// Limits of steps as frontend attributes have them: `memory`, `memswap`, `cpushares`, `cpuperiod`, ... (features F-84).
import type { Attrs, StepResources } from "../../api/index.ts";
import { KilnError } from "../../base/index.ts";

/** What the attributes say, with what the request itself says before it. Throws `FLAG_INVALID`. */
export function resourcesOf(
  attrs: Attrs,
  given: StepResources | undefined,
): StepResources | undefined {
  const found: StepResources = {
    ...limit("memory", attrs["memory"], count),
    ...limit("memorySwap", attrs["memswap"], countOrNone),
    ...limit("cpuShares", attrs["cpushares"], count),
    ...limit("cpuPeriod", attrs["cpuperiod"], count),
    ...limit("cpuQuota", attrs["cpuquota"], countOrNone),
    ...limit("cpusetCpus", attrs["cpusetcpus"], processors),
    ...limit("cpusetMems", attrs["cpusetmems"], processors),
    ...given,
  };
  return Object.keys(found).length === 0 ? given : found;
}

function limit<K extends keyof StepResources, V>(
  name: K,
  text: string | undefined,
  read: (text: string) => V | undefined,
): { readonly [key in K]?: V } {
  // The reference writes what is not limited as 0 or nothing.
  if (!text || text === "0") return {};
  const value = read(text);
  if (value !== undefined) return { [name]: value } as { readonly [key in K]?: V };
  throw new KilnError(
    "FLAG_INVALID",
    `the limit ${JSON.stringify(text)} of ${name} makes no sense`,
  );
}

function count(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function countOrNone(text: string): number | undefined {
  return text === "-1" ? -1 : count(text);
}

function processors(text: string): string | undefined {
  return /^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text) ? text : undefined;
}
