// Targets as data: which attributes there are, what they hold, and how two of them become one.
import { compareText } from "../hcl/index.ts";

/** A cache, an output, an attestation, a secret or an agent, as it is printed: members in the reference's order. */
export type Entry = Readonly<Record<string, string | boolean | readonly string[]>>;

export type EntryKind = "attest" | "cache" | "output" | "secret" | "ssh";

/** What attributes hold. Null in a map leaves the Dockerfile's own default. */
export interface Fields {
  description?: string;
  annotations?: readonly string[];
  attest?: readonly Entry[];
  context?: string;
  contexts?: Readonly<Record<string, string | null>>;
  dockerfile?: string;
  "dockerfile-inline"?: string;
  args?: Readonly<Record<string, string | null>>;
  labels?: Readonly<Record<string, string | null>>;
  tags?: readonly string[];
  "cache-from"?: readonly Entry[];
  "cache-to"?: readonly Entry[];
  target?: string;
  secret?: readonly Entry[];
  ssh?: readonly Entry[];
  platforms?: readonly string[];
  output?: readonly Entry[];
  pull?: boolean;
  "no-cache"?: boolean;
  network?: string;
  "no-cache-filter"?: readonly string[];
  "shm-size"?: string;
  ulimits?: readonly string[];
  call?: string;
  entitlements?: readonly string[];
  "extra-hosts"?: Readonly<Record<string, string | null>>;
  policy?: readonly string[];
  resources?: Readonly<Record<string, string | null>>;
}

export type FieldName = keyof Fields;

export interface Field {
  readonly kind: "text" | "texts" | "flag" | "map" | "nullableMap" | EntryKind;
  /** Of two files, or of a parent and its child: the later value stands, or joins the earlier one. */
  readonly merge: "replace" | "join";
}

/** All attributes in the order in which they are printed. */
export const fields: Readonly<Record<FieldName, Field>> = {
  description: { kind: "text", merge: "replace" },
  annotations: { kind: "texts", merge: "join" },
  attest: { kind: "attest", merge: "join" },
  context: { kind: "text", merge: "replace" },
  contexts: { kind: "map", merge: "join" },
  dockerfile: { kind: "text", merge: "replace" },
  "dockerfile-inline": { kind: "text", merge: "replace" },
  args: { kind: "nullableMap", merge: "join" },
  labels: { kind: "nullableMap", merge: "join" },
  tags: { kind: "texts", merge: "replace" },
  "cache-from": { kind: "cache", merge: "join" },
  "cache-to": { kind: "cache", merge: "replace" },
  target: { kind: "text", merge: "replace" },
  secret: { kind: "secret", merge: "join" },
  ssh: { kind: "ssh", merge: "join" },
  platforms: { kind: "texts", merge: "replace" },
  output: { kind: "output", merge: "replace" },
  pull: { kind: "flag", merge: "replace" },
  "no-cache": { kind: "flag", merge: "replace" },
  network: { kind: "text", merge: "replace" },
  "no-cache-filter": { kind: "texts", merge: "join" },
  "shm-size": { kind: "text", merge: "replace" },
  ulimits: { kind: "texts", merge: "join" },
  call: { kind: "text", merge: "replace" },
  entitlements: { kind: "texts", merge: "join" },
  "extra-hosts": { kind: "map", merge: "join" },
  policy: { kind: "texts", merge: "join" },
  resources: { kind: "map", merge: "join" },
};

export const fieldNames: readonly FieldName[] = Object.keys(fields) as FieldName[];

/** A target as files define it. */
export interface TargetDefinition {
  readonly name: string;
  readonly inherits: readonly string[];
  readonly fields: Fields;
}

export interface Group {
  readonly name: string;
  readonly description?: string;
  readonly targets: readonly string[];
}

/** What files say, all names resolved. */
export interface BakeDefinition {
  readonly groups: readonly Group[];
  readonly targets: readonly TargetDefinition[];
  readonly variables: readonly VariableInfo[];
}

/** A variable for people. */
export interface VariableInfo {
  readonly name: string;
  readonly description?: string;
  /** For people, such as `list of string`; absent where none is declared. */
  readonly type?: string;
  /** Absent for null. */
  readonly value?: string;
}

/** `later` over `earlier`. */
export function mergeFields(earlier: Fields, later: Fields): Fields {
  const merged: Record<string, unknown> = { ...earlier };
  for (const name of fieldNames) {
    const value = later[name];
    if (value === undefined) continue;
    const before = earlier[name];
    merged[name] =
      before === undefined || fields[name].merge === "replace" ? value : joined(before, value);
  }
  return merged as Fields;
}

function joined(before: unknown, value: unknown): unknown {
  if (Array.isArray(before) && Array.isArray(value)) return [...before, ...value];
  // Null says nothing, also about what was said before.
  const said = Object.entries(value as object).filter(([, one]) => one !== null);
  return { ...(before as object), ...Object.fromEntries(said) };
}

/** Without doubles, empty values and nulls; maps in the order of their names. */
export function normalizeFields(target: Fields): Fields {
  const normal: Record<string, unknown> = {};
  for (const name of fieldNames) {
    const value = target[name];
    if (value === undefined) continue;
    normal[name] = normalized(name, value);
    if (normal[name] === undefined) delete normal[name];
  }
  return normal as Fields;
}

function normalized(name: FieldName, value: unknown): unknown {
  if (name === "attest") return ifAny(lastOfType(value as readonly Entry[]));
  if (Array.isArray(value)) {
    const kept = value.filter((one) => one !== "");
    return ifAny([...new Map(kept.map((one) => [JSON.stringify(one), one])).values()]);
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value as Record<string, string | null>)
    .filter(([, one]) => one !== null && (name !== "contexts" || one !== ""))
    .sort(([a], [b]) => compareText(a, b));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function ifAny<T>(items: readonly T[]): readonly T[] | undefined {
  return items.length === 0 ? undefined : items;
}

/** Of several words about one type of attestation the last stands, where the first stood. */
function lastOfType(entries: readonly Entry[]): readonly Entry[] {
  return [...new Map(entries.map((one) => [one["type"], one] as const)).values()];
}
