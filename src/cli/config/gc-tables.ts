// `[worker.oci]` of the configuration file, as far as it says what to keep: gc, the three limits, `[[worker.oci.gcpolicy]]`.
import { isRecord } from "../../base/index.ts";
import {
  type Condition,
  type GcOptions,
  type GcPolicy,
  isFilterKey,
  parseConditions,
  parseKeepDuration,
  parseSpace,
  type Space,
} from "../../engine/retention/index.ts";
import { type ConfigText, configInvalid, lineOfKey } from "./config-text.ts";

const spaceKeys = ["reservedSpace", "maxUsedSpace", "minFreeSpace"] as const;

/** Other keys of the table mean nothing here. Throws `CONFIG_INVALID`. */
export function readGc(worker: unknown, config: ConfigText): GcOptions {
  const fail = (key: string, why: string) =>
    configInvalid(config, lineOfKey(config.text, undefined, key), why);
  if (worker === undefined) return {};
  if (!isRecord(worker)) throw fail("worker", "worker must be a table");
  const table = worker["oci"];
  if (table === undefined) return {};
  if (!isRecord(table)) throw fail("worker", "worker.oci must be a table");
  const { gc, gcpolicy, gckeepstorage } = table;
  if (gc !== undefined && typeof gc !== "boolean") throw fail("gc", "gc must be true or false");
  const reserved = readSpace(gckeepstorage, "gckeepstorage", fail);
  return {
    ...(gc === undefined ? {} : { enabled: gc }),
    ...(reserved ? { reservedSpace: reserved } : {}),
    ...readSpaces(table, fail),
    ...(gcpolicy === undefined ? {} : { policies: readPolicies(gcpolicy, fail) }),
  };
}

type Fail = (key: string, why: string) => Error;

function readPolicies(value: unknown, fail: Fail): readonly GcPolicy[] {
  if (!Array.isArray(value) || !value.every(isRecord))
    throw fail("gcpolicy", "gcpolicy must be written as [[worker.oci.gcpolicy]]");
  return value.map((table): GcPolicy => {
    const { all, keepDuration, filters, keepBytes } = table;
    if (all !== undefined && typeof all !== "boolean")
      throw fail("all", "all must be true or false");
    const keep = keepDuration === undefined ? undefined : parseKeepDuration(keepDuration);
    if (keepDuration !== undefined && keep === undefined)
      throw fail("keepDuration", 'keepDuration must be a duration such as "48h", or seconds');
    const reserved = readSpace(keepBytes, "keepBytes", fail);
    return {
      ...(all === undefined ? {} : { all }),
      ...(keep === undefined ? {} : { keepDuration: keep }),
      ...(filters === undefined ? {} : { filters: readFilters(filters, fail) }),
      ...(reserved ? { reservedSpace: reserved } : {}),
      ...readSpaces(table, fail),
    };
  });
}

function readFilters(value: unknown, fail: Fail): readonly string[] {
  if (!Array.isArray(value) || !value.every((one) => typeof one === "string"))
    throw fail("filters", "filters must be a list of strings");
  for (const text of value) {
    const unknown = parse(text, fail).find(({ field }) => !isFilterKey(field.join(".")));
    if (unknown) throw fail("filters", `there is no key ${unknown.field.join(".")} to filter by`);
  }
  return value;
}

function parse(text: string, fail: Fail): readonly Condition[] {
  try {
    return parseConditions(text);
  } catch {
    throw fail("filters", `${JSON.stringify(text)} is not a filter`);
  }
}

function readSpaces(
  table: Readonly<Record<string, unknown>>,
  fail: Fail,
): Partial<Record<(typeof spaceKeys)[number], Space>> {
  const found = spaceKeys.flatMap((key) => {
    const space = readSpace(table[key], key, fail);
    return space ? [[key, space] as const] : [];
  });
  return Object.fromEntries(found);
}

function readSpace(value: unknown, key: string, fail: Fail): Space | undefined {
  if (value === undefined) return undefined;
  const space = parseSpace(value);
  if (space) return space;
  throw fail(key, `${key} must be bytes, a size such as "512MB", or a part such as "10%"`);
}
