// What values hold: attributes, elements, and pairs for loops.
import type { KilnError } from "../../base/index.ts";
import { mistakeAt, type Range } from "./source.ts";
import { suggestion } from "./suggestion.ts";
import { ConversionError, convert, type Type } from "./types.ts";
import { Mapping, Sequence, typeName, type Value } from "./value.ts";

/** The value as one of the type; where it cannot be one, `before` begins the words for it. */
export function converted(
  value: Value,
  type: Type,
  range: Range,
  summary: string,
  before: string,
): Value {
  try {
    return convert(value, type);
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    throw mistakeAt(
      range,
      summary,
      `${before}${error.message}${before.startsWith("Unsuitable value:") ? "" : "."}`,
    );
  }
}

/** Keys and values that `for` goes through. */
export function pairsOf(collection: Value, range: Range): readonly (readonly [Value, Value])[] {
  if (collection instanceof Mapping) return [...collection.entries];
  if (collection instanceof Sequence)
    return collection.items.map((item, at) => [collection.kind === "set" ? item : at, item]);
  throw collection === null
    ? mistakeAt(
        range,
        "Iteration over null value",
        "A null value cannot be used as the collection in a 'for' expression.",
      )
    : mistakeAt(
        range,
        "Iteration over non-iterable value",
        `A value of type ${typeName(collection)} cannot be used as the collection in a 'for' expression.`,
      );
}

/** The mistake of a name that nobody knows, with what was probably meant. */
export function unknownVariable(name: string, range: Range, known: readonly string[]): KilnError {
  const near = suggestion(name, known);
  const more = near === undefined ? "" : ` Did you mean ${JSON.stringify(near)}?`;
  return mistakeAt(
    range,
    "Unknown variable",
    `There is no variable named ${JSON.stringify(name)}.${more}`,
  );
}

/** A member of an object or a map. Throws where there is none. */
export function attributeOf(value: Value, name: string, range: Range): Value {
  if (value === null) {
    throw mistakeAt(
      range,
      "Attempt to get attribute from null value",
      "This value is null, so it does not have any attributes.",
    );
  }
  if (value instanceof Mapping) {
    const found = value.entries.get(name);
    if (found !== undefined) return found;
    throw value.kind === "map"
      ? mistakeAt(
          range,
          "Missing map element",
          `This map does not have an element with the key ${JSON.stringify(name)}.`,
        )
      : mistakeAt(
          range,
          "Unsupported attribute",
          `This object does not have an attribute named ${JSON.stringify(name)}.`,
        );
  }
  throw mistakeAt(range, "Unsupported attribute", "This value does not have any attributes.");
}

/** An element by number or name. Throws where there is none. */
export function indexOf(value: Value, key: Value, range: Range): Value {
  if (value === null) {
    throw mistakeAt(
      range,
      "Attempt to index null value",
      "This value is null, so it does not have any indices.",
    );
  }
  if (key === null)
    throw mistakeAt(range, "Invalid index", "Can't use a null value as an indexing key.");
  if (value instanceof Mapping) {
    const name = converted(
      key,
      "string",
      range,
      "Invalid index",
      "The given key does not identify an element in this collection value: ",
    );
    const found = value.entries.get(String(name));
    if (found !== undefined) return found;
    throw mistakeAt(
      range,
      "Invalid index",
      "The given key does not identify an element in this collection value.",
    );
  }
  if (!(value instanceof Sequence) || value.kind === "set") {
    throw mistakeAt(
      range,
      "Invalid index",
      value instanceof Sequence
        ? "Elements of a set are identified only by their value and don't have any separate index or key to select with, so it's only possible to perform operations across all elements of the set."
        : "This value does not have any indices.",
    );
  }
  const number = Number(
    converted(
      key,
      "number",
      range,
      "Invalid index",
      "The given key does not identify an element in this collection value: ",
    ),
  );
  const found = Number.isInteger(number) ? value.items[number] : undefined;
  if (found !== undefined) return found;
  throw mistakeAt(
    range,
    "Invalid index",
    "The given key does not identify an element in this collection value.",
  );
}

/** A name for a member of an object. */
export function keyText(value: Value, range: Range): string {
  if (value === null)
    throw mistakeAt(range, "Null value as key", "Can't use a null value as a key.");
  return String(
    converted(value, "string", range, "Incorrect key type", "Can't use this value as a key: "),
  );
}

/** The mistake of two members of one name. */
export function duplicateKey(name: string, range: Range): KilnError {
  return mistakeAt(
    range,
    "Duplicate object key",
    `Two different items produced the key ${JSON.stringify(name)} in this 'for' expression. If duplicates are expected, use the ellipsis (...) after the value expression to enable grouping by key.`,
  );
}
