// `--set PATTERN.KEY[.NAME]=VALUE`: what the command line says over the files.
import { KilnError, parseBool, parseSize } from "../../base/index.ts";
import { compareText } from "../hcl/index.ts";
import { parseEntry } from "./entries.ts";
import { globMatches } from "./glob.ts";
import {
  type Entry,
  type EntryKind,
  type FieldName,
  type Fields,
  fields,
  type TargetDefinition,
} from "./target.ts";

/** What is said about one key of one target. */
interface Override {
  readonly values: readonly string[];
  readonly append: boolean;
  /** Absent where `=` was: the environment's. */
  readonly value: string | undefined;
}

/** By target, then by key in the order given: `tags`, `args.NAME`. */
export type Overrides = ReadonlyMap<string, ReadonlyMap<string, Override>>;

const aliases: Readonly<Record<string, FieldName>> = {
  platform: "platforms",
  secrets: "secret",
};

const plainKeys = [
  "annotations",
  "attest",
  "cache-from",
  "cache-to",
  "call",
  "context",
  "dockerfile",
  "entitlements",
  "load",
  "network",
  "no-cache",
  "no-cache-filter",
  "output",
  "platform",
  "policy",
  "pull",
  "push",
  "secrets",
  "shm-size",
  "ssh",
  "tags",
  "target",
  "ulimits",
];
const namedKeys = ["args", "contexts", "extra-hosts", "labels", "resources", "secret"];
/** Lists to which a value is added, whether by `=` or `+=`. */
const alwaysAdded = new Set<string>(["annotations", "attest", "entitlements"]);

/** Reads all of them, in order. Throws `BAKE_INVALID`. */
export function parseOverrides(
  values: readonly string[],
  targets: readonly TargetDefinition[],
  env: Readonly<Record<string, string | undefined>>,
): Overrides {
  const found = new Map<string, Map<string, Override>>();
  for (const text of values) {
    const { pattern, key, value, append } = parseOverride(text, env);
    for (const name of matchingTargets(pattern, targets)) {
      const keys = found.get(name) ?? new Map<string, Override>();
      found.set(name, keys);
      const before = keys.get(key);
      keys.set(key, {
        values: [...(before?.values ?? []), ...(value === undefined ? [] : [value])],
        append: append || (before?.append ?? false),
        value,
      });
    }
  }
  return found;
}

function parseOverride(text: string, env: Readonly<Record<string, string | undefined>>) {
  const equals = text.indexOf("=");
  const left = equals === -1 ? text : text.slice(0, equals);
  const append = left.endsWith("+");
  const path = append ? left.slice(0, -1) : left;
  const parts = path.split(".");
  const [pattern = "", kind = ""] = parts;
  if (parts.length < 2) throw invalid(`invalid override key ${path}, expected target.name`);
  const isNamed = namedKeys.includes(kind);
  if (!isNamed && !plainKeys.includes(kind)) throw unknownKey(kind);
  const name = parts.slice(2).join(".");
  if (isNamed && (name === "" || (equals === -1 && kind !== "args"))) {
    throw equals !== -1 && kind === "extra-hosts"
      ? invalid("invalid format for extra-hosts, expecting extra-hosts.<hostname>=<ip>")
      : invalid(`invalid key ${path}, ${kind} requires name`);
  }
  if (equals === -1 && !isNamed)
    throw invalid(`invalid override ${path}, expected target.name=value`);
  const value = equals === -1 ? env[name] : text.slice(equals + 1);
  return { pattern, key: isNamed ? `${kind}.${name}` : parts.slice(1).join("."), value, append };
}

function invalid(message: string): KilnError {
  return new KilnError("BAKE_INVALID", message, {
    hint: "Write --set TARGET.KEY=VALUE, such as --set app.args.VERSION=2 or --set '*.platform=linux/arm64'.",
  });
}

function unknownKey(key: string): KilnError {
  return new KilnError("BAKE_INVALID", `unknown key: ${key}`, {
    hint: `Keys are ${[...plainKeys, ...namedKeys.map((one) => `${one}.NAME`)].sort().join(", ")}.`,
  });
}

/** Targets whose names match; the name of one is a pattern too. */
export function matchingTargets(
  pattern: string,
  targets: readonly TargetDefinition[],
): readonly string[] {
  if (targets.some(({ name }) => name === pattern)) return [pattern];
  const found = targets.filter(({ name }) => globMatches(pattern, name)).map(({ name }) => name);
  if (found.length > 0) return found;
  throw new KilnError("BAKE_INVALID", `could not find any target matching '${pattern}'`, {
    hint: `Targets are ${targets.map(({ name }) => name).join(", ") || "none"}.`,
  });
}

/** The fields with what is said about them. Throws `BAKE_INVALID`. */
export function applyOverrides(
  target: Fields,
  overrides: ReadonlyMap<string, Override> | undefined,
): Fields {
  let result = target;
  for (const [key, override] of overrides ?? []) result = applyOne(result, key, override);
  return result;
}

function applyOne(target: Fields, key: string, override: Override): Fields {
  const { value = "" } = override;
  const [kind = "", ...rest] = key.split(".");
  if (kind === "load" || kind === "push") return marked(target, kind, readBool(kind, value));
  if (namedKeys.includes(kind)) return applyNamed(target, kind, rest.join("."), override);
  const name = (aliases[kind] ?? kind) as FieldName;
  const field = fields[name];
  switch (field.kind) {
    case "flag":
      return { ...target, [name]: readBool(kind, value) };
    case "text":
      if (name === "shm-size" && parseSize(value) === undefined)
        throw invalid(`invalid value ${value} for membytes key shm-size`);
      return { ...target, [name]: value };
    case "texts":
      return { ...target, [name]: added(target, name, override, override.values) };
    case "map":
    case "nullableMap":
      throw unknownKey(kind);
  }
  const entries = override.values
    .filter((one) => one !== "")
    .flatMap((one) => entriesOf(kind, field.kind as EntryKind, one));
  return { ...target, [name]: added(target, name, override, entries) };
}

function entriesOf(key: string, kind: EntryKind, text: string) {
  try {
    return parseEntry(kind, text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw invalid(
      `invalid value for ${key === "secrets" || key === "output" ? "outputs" : key}: ${why}`,
    );
  }
}

function added(
  target: Fields,
  name: FieldName,
  { append }: Override,
  values: readonly unknown[],
): readonly unknown[] {
  const before = (target[name] ?? []) as readonly unknown[];
  return append || alwaysAdded.has(name) ? [...before, ...values] : values;
}

function applyNamed(target: Fields, kind: string, name: string, { value }: Override): Fields {
  if (kind === "secret") {
    const entry = parseEntry("secret", `id=${name},${value ?? ""}`);
    const others = (target.secret ?? []).filter(({ id }) => id !== name);
    return { ...target, secret: [...others, ...entry] };
  }
  const before = target[kind as "args"] ?? {};
  return value === undefined ? target : { ...target, [kind]: { ...before, [name]: value } };
}

function readBool(key: string, value: string): boolean {
  const read = parseBool(value);
  if (read !== undefined) return read;
  throw invalid(`invalid value ${value} for boolean key ${key}`);
}

/** With an image that is pushed, or given to docker, unless the results go elsewhere than into images. */
function marked(target: Fields, kind: "load" | "push", wanted: boolean): Fields {
  const outputs = target.output ?? [];
  if (kind === "load") return wanted ? { ...target, output: loaded(outputs) } : target;
  return { ...target, output: wanted ? pushed(outputs) : unpushed(outputs) };
}

function loaded(outputs: readonly Entry[]): readonly Entry[] {
  if (outputs.some(({ type, dest }) => type === "docker" && dest === undefined)) return outputs;
  const hasImage = outputs.some(({ type }) => !["local", "tar", "cacheonly"].includes(`${type}`));
  return outputs.length === 0 || hasImage ? [...outputs, { type: "docker" }] : outputs;
}

function pushed(outputs: readonly Entry[]): readonly Entry[] {
  if (outputs.every(({ type }) => type === "docker"))
    return [...outputs, { push: "true", type: "image" }];
  return outputs.map((one) => (one["type"] === "image" ? withPush(one, "true") : one));
}

function unpushed(outputs: readonly Entry[]): readonly Entry[] {
  return outputs
    .filter(({ type }) => type !== "registry")
    .map((one) => (one["type"] === "image" ? withPush(one, "false") : one));
}

function withPush(output: Entry, push: string): Entry {
  const members = Object.entries({ ...output, push });
  return Object.fromEntries(members.sort(([a], [b]) => compareText(a, b)));
}
