// Files in HCL's JSON syntax (HCL JSON spec): members are attributes or blocks, as the schema says; strings are templates.
import { KilnError } from "../../base/index.ts";
import type { Attribute, Block, Body, Expression } from "./ast.ts";
import { parseJsonTemplate } from "./json-template.ts";
import { maxFileLength } from "./parse-body.ts";
import { mistakeAt, type Range, type Source } from "./source.ts";

/** Which names are blocks, with how many labels, and which blocks are in them. */
export interface BlockSchema {
  readonly [type: string]: { readonly labels: number; readonly blocks?: BlockSchema };
}

type Node =
  | { readonly kind: "object"; readonly members: readonly Member[]; readonly range: Range }
  | { readonly kind: "array"; readonly items: readonly Node[]; readonly range: Range }
  | {
      readonly kind: "value";
      readonly value: string | number | boolean | null;
      readonly range: Range;
    };

interface Member {
  readonly name: string;
  readonly nameRange: Range;
  readonly value: Node;
}

/** Values inside values. */
const maxDepth = 200;

/** What a file says. Throws `BAKE_INVALID`. */
export function parseHclJson(source: Source, schema: BlockSchema): Body {
  if (source.text.length > maxFileLength)
    throw new KilnError("BAKE_INVALID", `${source.name} has more than ${maxFileLength} characters`);
  const node = new JsonReader(source).document();
  if (node.kind !== "object") {
    throw mistakeAt(
      node.range,
      "Root value must be object",
      "The root value in a JSON-based configuration must be a JSON object.",
    );
  }
  return bodyOf([node], schema);
}

function bodyOf(nodes: readonly Node[], schema: BlockSchema): Body {
  const attributes = new Map<string, Attribute>();
  const blocks: Block[] = [];
  for (const node of nodes) {
    if (node.kind !== "object")
      throw mistakeAt(node.range, "Incorrect JSON value type", "A JSON object is required here.");
    for (const { name, nameRange, value } of node.members) {
      // The way to write a comment.
      if (name === "//") continue;
      const block = Object.hasOwn(schema, name) ? schema[name] : undefined;
      if (block) blocks.push(...blocksOf(name, nameRange, value, block, []));
      else if (attributes.has(name)) {
        throw mistakeAt(
          nameRange,
          "Duplicate argument",
          `The argument ${JSON.stringify(name)} was already set.`,
        );
      } else {
        const range = { ...nameRange, end: value.range.end };
        attributes.set(name, { name, nameRange, range, expression: expressionOf(value, 0) });
      }
    }
  }
  const range = nodes[0]?.range;
  if (!range) throw new Error("a body of nothing");
  return { attributes, blocks, range };
}

/** One object per label, then a body, or a list of bodies. */
function blocksOf(
  type: string,
  range: Range,
  node: Node,
  schema: BlockSchema[string],
  labels: Block["labels"],
): Block[] {
  if (labels.length < schema.labels) {
    if (node.kind === "array")
      return node.items.flatMap((item) => blocksOf(type, range, item, schema, labels));
    if (node.kind !== "object") {
      throw mistakeAt(
        node.range,
        "Incorrect JSON value type",
        `A JSON object is required here, whose keys represent the ${type} block's labels.`,
      );
    }
    return node.members.flatMap(({ name, nameRange, value }) =>
      blocksOf(type, nameRange, value, schema, [...labels, { text: name, range: nameRange }]),
    );
  }
  if (node.kind === "value" && node.value === null) return [];
  const bodies = node.kind === "array" ? node.items : [node];
  return bodies.map((one) => ({
    type,
    labels,
    range,
    body: bodyOf([one], schema.blocks ?? {}),
  }));
}

function expressionOf(node: Node, depth: number): Expression {
  const { range } = node;
  if (node.kind === "array")
    return { kind: "tuple", items: node.items.map((item) => expressionOf(item, depth + 1)), range };
  if (node.kind === "object") {
    const items = node.members.map(({ name, nameRange, value }) => ({
      key: parseJsonTemplate(name, nameRange, depth),
      value: expressionOf(value, depth + 1),
    }));
    return { kind: "object", items, range };
  }
  if (typeof node.value === "string") return parseJsonTemplate(node.value, range, depth);
  return { kind: "literal", value: node.value, range };
}

const scalarPattern = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/suy;

class JsonReader {
  readonly #source: Source;
  #at = 0;

  constructor(source: Source) {
    this.#source = source;
  }

  document(): Node {
    if (this.#source.text.startsWith("\ufeff")) this.#at++;
    const node = this.#value(0);
    const extra = this.#blank();
    if (extra !== "") {
      throw mistakeAt(
        this.#range(this.#at, this.#at + 1),
        "Extraneous data after value",
        "Extra characters appear after the JSON value.",
      );
    }
    return node;
  }

  #range(start: number, end: number = this.#at): Range {
    return { source: this.#source, start, end };
  }

  /** Skips blanks; the character that follows, or nothing at the end. */
  #blank(): string {
    const { text } = this.#source;
    while (" \t\r\n".includes(text[this.#at] ?? "x")) this.#at++;
    return text[this.#at] ?? "";
  }

  #value(depth: number): Node {
    if (depth > maxDepth)
      throw mistakeAt(this.#range(this.#at), "Value too deep", `At most ${maxDepth} levels.`);
    const char = this.#blank();
    const start = this.#at;
    if (char === "{") {
      const members = this.#list("}", () => this.#member(depth));
      return { kind: "object", members, range: this.#range(start) };
    }
    if (char === "[") {
      const items = this.#list("]", () => this.#value(depth + 1));
      return { kind: "array", items, range: this.#range(start) };
    }
    return { kind: "value", value: this.#scalar(), range: this.#range(start) };
  }

  #member(depth: number): Member {
    this.#blank();
    const start = this.#at;
    const name = this.#scalar();
    const nameRange = this.#range(start);
    if (typeof name !== "string") {
      throw mistakeAt(
        nameRange,
        "Invalid object property name",
        "A JSON object property name must be a string.",
      );
    }
    if (this.#blank() !== ":") {
      throw mistakeAt(
        this.#range(this.#at, this.#at + 1),
        "Missing property value colon",
        "JSON properties must have colons between their names and their values.",
      );
    }
    this.#at++;
    return { name, nameRange, value: this.#value(depth + 1) };
  }

  #list<T>(close: string, read: () => T): T[] {
    const start = this.#at++;
    const items: T[] = [];
    if (this.#blank() === close) {
      this.#at++;
      return items;
    }
    for (;;) {
      items.push(read());
      const char = this.#blank();
      const place = this.#range(this.#at, this.#at + 1);
      this.#at++;
      if (char === close) return items;
      if (char === "") {
        throw mistakeAt(
          this.#range(start, start + 1),
          close === "}" ? "Unclosed object" : "Unclosed array",
          `There is no closing ${JSON.stringify(close)} before the end of the file.`,
        );
      }
      if (char !== ",") {
        throw mistakeAt(
          place,
          close === "}" ? "Missing attribute seperator comma" : "Missing item separator",
          "A comma must separate each value from the next.",
        );
      }
      this.#blank();
      if (this.#source.text[this.#at] === close) {
        throw mistakeAt(
          place,
          close === "}" ? "Trailing comma in object" : "Trailing comma in array",
          close === "}"
            ? "JSON does not permit a trailing comma after the final property in an object."
            : "JSON does not permit a trailing comma after the final value in an array.",
        );
      }
    }
  }

  #scalar(): string | number | boolean | null {
    scalarPattern.lastIndex = this.#at;
    const match = scalarPattern.exec(this.#source.text);
    const range = this.#range(this.#at, this.#at + 1);
    if (!match) {
      throw mistakeAt(
        range,
        "Invalid JSON value",
        "A JSON value is required: a string, a number, true, false, null, an object or an array.",
      );
    }
    this.#at += match[0].length;
    try {
      return JSON.parse(match[0]) as string | number | boolean | null;
    } catch {
      throw mistakeAt(
        this.#range(range.start),
        "Invalid JSON string",
        "It has an invalid escape, or a character that must be escaped.",
      );
    }
  }
}
