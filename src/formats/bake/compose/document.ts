// Compose files as trees: YAML read, files put over each other, services that extend others (compose-spec).

import { LineCounter, parseDocument, type ScalarTag, type Tags } from "yaml";
import { isRecord, KilnError } from "../../../base/index.ts";
import type { Source } from "../../hcl/index.ts";
import { interpolate, type Variables } from "./interpolate.ts";

export type Tree = Readonly<Record<string, unknown>>;

/** Values inside values. */
const maxDepth = 100;
/** Nodes of one document, aliases counted as often as they are used. */
const maxNodes = 200_000;

const resetMark = Symbol("reset");

/** In place of a value: nothing is there, whatever earlier files say. */
const resetTag: ScalarTag = { tag: "!reset", resolve: () => resetMark };

/** Compose's reader of YAML takes a number that begins with 0 for octal. */
const octalTag: ScalarTag = {
  tag: "tag:yaml.org,2002:int",
  default: true,
  test: /^[-+]?0[0-7]+$/,
  resolve: (text) => Number.parseInt(text, 8),
};

/** The file's tree with its variables replaced. Throws `BAKE_INVALID` with the place of each mistake. */
export function parseCompose(source: Source, variables: Variables): Tree {
  const lines = new LineCounter();
  const customTags = (tags: Tags): Tags => [octalTag, ...tags, resetTag];
  const document = parseDocument(source.text, { merge: true, lineCounter: lines, customTags });
  const [first, ...others] = document.errors.map(({ message, pos }) => {
    const { line, col } = lines.linePos(pos[0]);
    return new KilnError("BAKE_INVALID", `${message.split("\n")[0]}`, {
      at: { file: source.name, line, column: col, text: source.text },
    });
  });
  if (first)
    throw new KilnError(first.code, first.message, {
      others,
      ...(first.at ? { at: first.at } : {}),
    });
  const tree: unknown = document.toJS({ maxAliasCount: 1000 });
  if (tree === null) return {};
  if (!isRecord(tree))
    throw new KilnError("BAKE_INVALID", `${source.name}: top-level object must be a mapping`);
  const count = { left: maxNodes };
  return replaced(tree, variables, count, 0) as Tree;
}

function replaced(
  value: unknown,
  variables: Variables,
  count: { left: number },
  depth: number,
): unknown {
  if (depth > maxDepth || --count.left < 0)
    throw new KilnError("BAKE_INVALID", "the Compose file is too large or nested too deep");
  if (typeof value === "string") return interpolate(value, variables);
  if (Array.isArray(value)) return value.map((one) => replaced(one, variables, count, depth + 1));
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, replaced(one, variables, count, depth + 1)]),
  );
}

/** Lists that a later file replaces instead of adding to them. */
const replacedLists = new Set(["command", "entrypoint"]);
/** Maps that may be written as lists of `key=value`. */
const keyed = new Set(["args", "labels", "environment", "additional_contexts"]);

/** `later` over `earlier`: maps are joined, lists added to, single values replaced. */
export function mergeTrees(earlier: Tree, later: Tree): Tree {
  const merged: Record<string, unknown> = { ...earlier };
  for (const [key, value] of Object.entries(later)) {
    const before = keyed.has(key) ? asMap(merged[key]) : merged[key];
    const after = keyed.has(key) ? asMap(value) : value;
    if (isReset(after)) delete merged[key];
    else if (key === "build") merged[key] = mergeTrees(asBuild(before), asBuild(after));
    else if (isRecord(before) && isRecord(after)) merged[key] = mergeTrees(before, after);
    else if (Array.isArray(before) && Array.isArray(after) && !replacedLists.has(key))
      merged[key] = [...before, ...after];
    else merged[key] = after;
  }
  return merged;
}

function isReset(value: unknown): boolean {
  return value === resetMark;
}

/** `build: PATH` is short for a map. */
export function asBuild(value: unknown): Tree {
  if (typeof value === "string") return { context: value };
  return isRecord(value) ? value : {};
}

/** Lists of `key=value`, or of `key`, as a map. Other values as they are. */
export function asMap(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return Object.fromEntries(
    value.map((one) => {
      const [, key = "", text] = /^([^=]*?)(?:=(.*))?$/s.exec(String(one)) ?? [];
      return [key, text ?? null];
    }),
  );
}

/** How services of other files are found. Undefined where there is no such file. */
export type ReadTree = (path: string) => Tree | undefined;

/** Services of a tree with what they extend, by name. */
export function servicesOf(tree: Tree, read: ReadTree): ReadonlyMap<string, Tree> {
  const services = isRecord(tree["services"]) ? tree["services"] : {};
  return new Map(
    Object.keys(services).map((name) => [name, extended(name, tree, read, [])] as const),
  );
}

function extended(name: string, tree: Tree, read: ReadTree, way: readonly string[]): Tree {
  const services = isRecord(tree["services"]) ? tree["services"] : {};
  const service = services[name];
  if (way.length > maxDepth || way.includes(name))
    throw new KilnError("BAKE_INVALID", `services extend each other: ${[...way, name].join(", ")}`);
  if (service === null) return {};
  if (!isRecord(service))
    throw new KilnError("BAKE_INVALID", `service ${JSON.stringify(name)} is not defined`);
  const { extends: parent, ...own } = service;
  if (parent === undefined || parent === null) return own;
  const { service: base, file } = isRecord(parent) ? parent : { service: parent, file: undefined };
  if (file === undefined)
    return mergeTrees(extended(String(base), tree, read, [...way, name]), own);
  const other = read(String(file));
  if (!other)
    throw new KilnError(
      "BAKE_INVALID",
      `service ${JSON.stringify(name)} extends one of ${String(file)}, which does not exist`,
    );
  return mergeTrees(extended(String(base), other, read, []), own);
}
