// Functions of lists, sets, maps and objects.
import { FunctionError, type HclFunction } from "../function.ts";
import { listOf } from "../types.ts";
import { compareText, equalValues, Mapping, Sequence, type Value, valueKey } from "../value.ts";
import { any, list, nullable, number, simple, text } from "./signature.ts";

/** Most elements that one call may make. */
const maxElements = 100_000;

function sequence(value: Value | undefined, argument: number): Sequence {
  if (value instanceof Sequence) return value;
  throw new FunctionError("a list, a tuple or a set is required", argument);
}

function mapping(value: Value | undefined, argument: number): Mapping {
  if (value instanceof Mapping) return value;
  throw new FunctionError("a map or an object is required", argument);
}

/** Items as the same kind of sequence as `like`; sets become lists. */
function alike(like: Sequence, items: readonly Value[]): Sequence {
  return like.kind === "tuple" ? new Sequence("tuple", items) : new Sequence("list", items);
}

function concat(args: readonly Value[]): Sequence {
  const all = args.map((one, at) => sequence(one, at));
  const items = all.flatMap((one) => one.items);
  if (items.length > maxElements) throw new FunctionError("the result has too many elements");
  return all.every((one) => one.kind === "list") ? listOf(items) : new Sequence("tuple", items);
}

function flatten(value: Value, depth: number): Value[] {
  if (depth > 100) throw new FunctionError("lists are nested too deep");
  if (!(value instanceof Sequence)) return [value];
  return value.items.flatMap((item) => flatten(item, depth + 1));
}

function distinct(items: readonly Value[]): Value[] {
  return [...new Map(items.map((item) => [valueKey(item), item])).values()];
}

function chunked(items: readonly Value[], size: number): Value[] {
  if (size < 0) throw new FunctionError("the size argument must be positive", 1);
  if (size === 0) return [list(items)];
  const chunks: Value[] = [];
  for (let at = 0; at < items.length; at += size) chunks.push(list(items.slice(at, at + size)));
  return chunks;
}

function slice(whole: Sequence, from: number, to: number): Sequence {
  const { length } = whole.items;
  if (from < 0) throw new FunctionError("start index must not be less than zero", 1);
  if (to > length)
    throw new FunctionError("end index must not be greater than the length of the list", 2);
  if (from > to) throw new FunctionError("start index must not be greater than end index", 1);
  return alike(whole, whole.items.slice(from, to));
}

function range(args: readonly Value[]): Sequence {
  const numbers = args.map(Number);
  const [start, end] =
    numbers.length === 1 ? [0, numbers[0] ?? 0] : [numbers[0] ?? 0, numbers[1] ?? 0];
  if (numbers.length === 0 || numbers.length > 3)
    throw new FunctionError("must have one, two, or three arguments");
  const step = numbers[2] ?? (end < start ? -1 : 1);
  if (step === 0) throw new FunctionError("step must not be zero", 2);
  if (step < 0 && end > start)
    throw new FunctionError("end must be less than start when step is negative", 1);
  if (step > 0 && end < start)
    throw new FunctionError("end must be greater than start when step is positive", 1);
  const items: number[] = [];
  for (let at = start; step > 0 ? at < end : at > end; at += step) {
    if (items.length >= 1024)
      throw new FunctionError(
        "more than 1024 values were generated; either decrease the difference between start and end or use a smaller step",
      );
    items.push(at);
  }
  return new Sequence("list", items);
}

function product(args: readonly Value[]): Sequence {
  if (args.length < 2) throw new FunctionError("at least two arguments are required");
  const all = args.map((one, at) => sequence(one, at));
  const size = all.reduce((product_, one) => product_ * one.items.length, 1);
  if (size > maxElements) throw new FunctionError("the result has too many elements");
  const tuples = all.reduce<Value[][]>(
    (sofar, one) => sofar.flatMap((head) => one.items.map((item) => [...head, item])),
    [[]],
  );
  const isSet = all.every((one) => one.kind === "set");
  return new Sequence(
    isSet ? "set" : "list",
    tuples.map((items) => new Sequence("tuple", items)),
  );
}

/** Of sets: whether an element that so many of them have, and the first has or not, is in the result. */
function combined(keep: (count: number, first: boolean, total: number) => boolean): HclFunction {
  const set = { set: "any" } as const;
  return {
    params: [{ name: "first_set", type: set }],
    rest: { name: "other_sets", type: set },
    call: (args) => {
      const all = args.map((one, at) => sequence(one, at).items);
      const everything = distinct(all.flat());
      const has = (items: readonly Value[] | undefined, item: Value) =>
        items?.some((other) => equalValues(other, item)) ?? false;
      const kept = everything.filter((item) =>
        keep(all.filter((items) => has(items, item)).length, has(all[0], item), all.length),
      );
      return new Sequence("set", kept);
    },
  };
}

function lookup(args: readonly Value[]): Value {
  const [map, key, standard] = args;
  const found = mapping(map, 0).entries.get(String(key));
  if (found !== undefined) return found;
  if (standard !== undefined) return standard;
  throw new FunctionError(`the given object has no attribute ${JSON.stringify(key)}`);
}

function elementAt(value: Value | undefined, index: Value | undefined): Value {
  const { items } = sequence(value, 0);
  if (items.length === 0)
    throw new FunctionError("cannot use element function with an empty list", 0);
  const at = Number(index) % items.length;
  return items[at < 0 ? at + items.length : at] ?? null;
}

function merged(args: readonly Value[]): Value {
  const all = args.filter((one) => one !== null).map((one, at) => mapping(one, at));
  const entries = all.flatMap((one) => [...one.entries]);
  const isMap = all.every((one) => one.kind === "map");
  return new Mapping(isMap ? "map" : "object", entries);
}

function sizeOf(value: Value | undefined): number {
  if (value instanceof Sequence) return value.items.length;
  if (value instanceof Mapping) return value.entries.size;
  throw new FunctionError("collection must be a list, a map or a tuple", 0);
}

function hasIndex(value: Value | undefined, key: Value | undefined): boolean {
  if (value instanceof Mapping) return typeof key === "string" && value.entries.has(key);
  if (value instanceof Sequence && value.kind !== "set") {
    const at = Number(key);
    return key !== null && Number.isInteger(at) && at >= 0 && at < value.items.length;
  }
  throw new FunctionError("collection must be a list, a map or a tuple", 0);
}

function firstOf(args: readonly Value[]): Value {
  const found = args.find((one) => one !== null);
  if (found !== undefined) return found;
  throw new FunctionError("no non-null arguments");
}

function indexOfValue(whole: Value | undefined, wanted: Value | undefined): number {
  const { items } = sequence(whole, 0);
  if (items.length === 0) throw new FunctionError("cannot search an empty list");
  const at = items.findIndex((item) => equalValues(item, wanted ?? null));
  if (at >= 0) return at;
  throw new FunctionError("item not found");
}

function indexed(value: Value | undefined, key: Value | undefined): Value {
  const found =
    value instanceof Mapping
      ? value.entries.get(String(key))
      : sequence(value, 0).items[Number(key)];
  if (found !== undefined) return found;
  throw new FunctionError("invalid index");
}

export const collectionFunctions: Readonly<Record<string, HclFunction>> = {
  chunklist: simple(
    [any("list"), number("size")],
    ([whole, size]) => new Sequence("list", chunked(sequence(whole, 0).items, Number(size))),
  ),
  coalesce: { params: [], rest: nullable("vals"), call: (args) => firstOf(args) },
  coalescelist: {
    params: [],
    rest: nullable("vals"),
    call: (args) => {
      const found = args.find((one, at) => one !== null && sequence(one, at).items.length > 0);
      if (found !== undefined) return found;
      throw new FunctionError("no non-null arguments");
    },
  },
  compact: simple([{ name: "list", type: { list: "string" } }], ([whole]) =>
    list(sequence(whole, 0).items.filter((item) => item !== null && item !== "")),
  ),
  concat: { params: [], rest: any("seqs"), call: (args) => concat(args) },
  contains: simple([any("list"), any("value")], ([whole, value]) =>
    sequence(whole, 0).items.some((item) => equalValues(item, value ?? null)),
  ),
  distinct: simple([any("list")], ([whole]) =>
    list(distinct(list(sequence(whole, 0).items).items)),
  ),
  element: simple([any("list"), number("index")], ([whole, index]) => elementAt(whole, index)),
  flatten: simple(
    [any("list")],
    ([whole]) => new Sequence("tuple", flatten(sequence(whole, 0), 0)),
  ),
  hasindex: simple([any("collection"), any("key")], ([whole, key]) => hasIndex(whole, key)),
  index: simple([any("collection"), any("key")], ([whole, key]) => indexed(whole, key)),
  indexof: simple([any("list"), any("value")], ([whole, value]) => indexOfValue(whole, value)),
  keys: simple([any("inputMap")], ([map]) => {
    const { kind, entries } = mapping(map, 0);
    return new Sequence(kind === "object" ? "tuple" : "list", [...entries.keys()]);
  }),
  length: simple([any("collection")], ([whole]) => sizeOf(whole)),
  lookup: {
    params: [any("inputMap"), text("key")],
    rest: nullable("default"),
    call: (args) => lookup(args),
  },
  merge: { params: [], rest: nullable("maps"), call: (args) => merged(args) },
  range: { params: [], rest: number("params"), call: (args) => range(args) },
  reverselist: simple([any("list")], ([whole]) => {
    const all = sequence(whole, 0);
    return alike(all, [...all.items].reverse());
  }),
  sethaselement: simple([{ name: "set", type: { set: "any" } }, any("elem")], ([set, wanted]) =>
    sequence(set, 0).items.some((item) => equalValues(item, wanted ?? null)),
  ),
  setintersection: combined((count, _, total) => count === total),
  setproduct: { params: [], rest: any("sets"), call: (args) => product(args) },
  setsubtract: combined((count, first) => first && count === 1),
  setsymmetricdifference: combined((count) => count === 1),
  setunion: combined(() => true),
  slice: simple([any("list"), number("start_index"), number("end_index")], ([whole, from, to]) =>
    slice(sequence(whole, 0), Number(from), Number(to)),
  ),
  sort: simple([{ name: "list", type: { list: "string" } }], ([whole]) => {
    const items = sequence(whole, 0).items as string[];
    return new Sequence("list", [...items].sort(compareText));
  }),
  values: simple([any("mapping")], ([map]) => {
    const { kind, entries } = mapping(map, 0);
    return new Sequence(kind === "object" ? "tuple" : "list", [...entries.values()]);
  }),
  zipmap: simple([{ name: "keys", type: { list: "string" } }, any("values")], ([keys, values]) => {
    const [names, items] = [sequence(keys, 0).items, sequence(values, 1)];
    if (names.length !== items.items.length)
      throw new FunctionError(
        `number of keys (${names.length}) does not match number of values (${items.items.length})`,
      );
    const entries = names.map((name, at) => [String(name), items.items[at] ?? null] as const);
    return new Mapping(items.kind === "tuple" ? "object" : "map", entries);
  }),
};
