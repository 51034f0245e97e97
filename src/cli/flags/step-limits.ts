// --resource, -m, --cpu-shares, ...: what one step's processes may use.
import type { StepResources } from "../../api/index.ts";
import { closest } from "../../base/index.ts";
import { invalidValue, parseInteger, parseSize } from "./values.ts";

type Writable = { -readonly [K in keyof StepResources]: StepResources[K] };

/** Names of limits as the flags spell them. */
export const resourceNames = [
  "memory",
  "memory-swap",
  "cpu-shares",
  "cpu-period",
  "cpu-quota",
  "cpuset-cpus",
  "cpuset-mems",
] as const;

/** Reads `NAME=VALUE`, several in one value with commas; the last of a name counts. */
export function parseResources(values: readonly string[]): StepResources {
  const found: Writable = {};
  for (const value of values) {
    // A comma belongs to the list of processors before it, unless a name follows.
    for (const pair of value.split(/,(?=[a-z][a-z-]*=)/)) readResource(pair, found);
  }
  return found;
}

function readResource(pair: string, found: Writable): void {
  const cut = pair.indexOf("=");
  const [name, text] = [pair.slice(0, Math.max(0, cut)), pair.slice(cut + 1)];
  const refuse = (why: string, hint?: string) => invalidValue("--resource", pair, why, hint);
  if (cut < 1) throw refuse("expected name=limit");
  const known = resourceNames.find((one) => one === name);
  switch (known) {
    case "memory":
      found.memory = parseBytes(text, refuse);
      return;
    case "memory-swap":
      found.memorySwap = text === "-1" ? -1 : parseBytes(text, refuse);
      return;
    case "cpu-shares":
      found.cpuShares = parseCount(text, refuse);
      return;
    case "cpu-period":
      found.cpuPeriod = parseCount(text, refuse);
      return;
    case "cpu-quota":
      found.cpuQuota = parseCount(text, refuse);
      return;
    case "cpuset-cpus":
      found.cpusetCpus = parseSet(text, refuse);
      return;
    case "cpuset-mems":
      found.cpusetMems = parseSet(text, refuse);
      return;
    default: {
      const near = closest(name, resourceNames);
      const hint = near ? `Did you mean ${near}?` : `Limits are ${resourceNames.join(", ")}.`;
      throw refuse(`there is no limit ${JSON.stringify(name)}`, hint);
    }
  }
}

type Refuse = (why: string, hint?: string) => Error;

function parseBytes(text: string, refuse: Refuse): number {
  const bytes = parseSize(text);
  if (bytes === undefined || bytes <= 0) throw refuse("expected a size such as 512m or 2g");
  return bytes;
}

function parseCount(text: string, refuse: Refuse): number {
  const count = parseInteger(text);
  if (count === undefined || count < 0) throw refuse("expected a whole number");
  return count;
}

function parseSet(text: string, refuse: Refuse): string {
  if (/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text)) return text;
  throw refuse("expected numbers and ranges such as 0-2,4");
}
