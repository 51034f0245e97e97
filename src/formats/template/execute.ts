// Runs a template's tree over a value (text/template, exec.go).
import { isRecord, KilnError } from "../../base/index.ts";
import type { Block, Node, Operand, Pipe, Tree } from "./ast.ts";
import type { TemplateFunctions } from "./functions.ts";
import { isTrue, Struct, sortedEntries, textOf } from "./values.ts";

/** Templates that call templates: deeper is a circle. */
const maxDepth = 500;
/** Characters of output; the value that is printed may come from a registry. */
const maxOutput: number = 256 * 1024 * 1024;

/** Throws `TEMPLATE_INVALID`. */
export function executeTree(tree: Tree, functions: TemplateFunctions, data: unknown): string {
  const run = new Run(tree, functions);
  run.block(tree.main, { dot: data, variables: new Scope(undefined, [["$", data]]) }, 0);
  return run.text();
}

interface Frame {
  readonly dot: unknown;
  readonly variables: Scope;
}

type Jump = "break" | "continue" | undefined;

class Scope {
  readonly #outer: Scope | undefined;
  readonly #values: Map<string, unknown>;

  constructor(outer: Scope | undefined, values: readonly (readonly [string, unknown])[] = []) {
    this.#outer = outer;
    this.#values = new Map(values);
  }

  get(name: string): unknown {
    if (this.#values.has(name)) return this.#values.get(name);
    if (this.#outer) return this.#outer.get(name);
    throw broken(`undefined variable ${name}`);
  }

  declare(name: string, value: unknown): void {
    this.#values.set(name, value);
  }

  assign(name: string, value: unknown): void {
    if (this.#values.has(name)) this.#values.set(name, value);
    else if (this.#outer) this.#outer.assign(name, value);
    else throw broken(`undefined variable ${name}`);
  }
}

class Run {
  readonly #tree: Tree;
  readonly #functions: TemplateFunctions;
  readonly #out: string[] = [];
  #length = 0;

  constructor(tree: Tree, functions: TemplateFunctions) {
    this.#tree = tree;
    this.#functions = functions;
  }

  text(): string {
    return this.#out.join("");
  }

  block(nodes: Block, frame: Frame, depth: number): Jump {
    for (const node of nodes) {
      const jump = this.#node(node, frame, depth);
      if (jump) return jump;
    }
    return undefined;
  }

  #node(node: Node, frame: Frame, depth: number): Jump {
    switch (node.kind) {
      case "text":
        this.#write(node.text);
        return undefined;
      case "print": {
        const value = this.#pipe(node.pipe, frame);
        if (node.pipe.variables.length === 0)
          this.#write(value === undefined ? "<no value>" : textOf(value));
        return undefined;
      }
      case "template":
        this.#template(node, frame, depth);
        return undefined;
      case "range":
        this.#range(node, frame, depth);
        return undefined;
      case "if":
      case "with": {
        const inner = { ...frame, variables: new Scope(frame.variables) };
        const value = this.#pipe(node.pipe, inner);
        if (!isTrue(value)) return this.block(node.otherwise, inner, depth);
        return this.block(
          node.body,
          node.kind === "with" ? { ...inner, dot: value } : inner,
          depth,
        );
      }
      default:
        return node.kind;
    }
  }

  #template(node: Extract<Node, { kind: "template" }>, frame: Frame, depth: number): void {
    const body = this.#tree.defined.get(node.name);
    if (!body) throw broken(`there is no template ${JSON.stringify(node.name)}`);
    if (depth > maxDepth)
      throw broken(`template ${JSON.stringify(node.name)} calls itself without end`);
    const dot = node.pipe ? this.#pipe(node.pipe, frame) : undefined;
    this.block(body, { dot, variables: new Scope(undefined, [["$", dot]]) }, depth + 1);
  }

  #range(node: Extract<Node, { kind: "range" }>, frame: Frame, depth: number): void {
    const { variables, declares } = node.pipe;
    const outer = new Scope(frame.variables);
    const value = this.#commands(node.pipe, { ...frame, variables: outer });
    const items = itemsOf(value);
    if (items.length === 0) {
      this.block(node.otherwise, { ...frame, variables: outer }, depth);
      return;
    }
    for (const [key, item] of items) {
      const scope = new Scope(outer);
      const pairs = variables.length === 1 ? [item] : [key, item];
      for (const [i, name] of variables.entries()) {
        if (declares) scope.declare(name, pairs[i]);
        else scope.assign(name, pairs[i]);
      }
      if (this.block(node.body, { dot: item, variables: scope }, depth) === "break") return;
    }
  }

  #pipe(pipe: Pipe, frame: Frame): unknown {
    const value = this.#commands(pipe, frame);
    for (const name of pipe.variables) {
      if (pipe.declares) frame.variables.declare(name, value);
      else frame.variables.assign(name, value);
    }
    return value;
  }

  #commands({ commands }: Pipe, frame: Frame): unknown {
    let value: unknown;
    for (const [i, command] of commands.entries())
      value = this.#command(command, frame, i === 0 ? [] : [value]);
    return value;
  }

  /** `last` holds what the command before has left: it becomes the last argument. */
  #command([first, ...rest]: readonly Operand[], frame: Frame, last: readonly unknown[]): unknown {
    if (!first) return undefined;
    if (first.kind !== "function") {
      if (rest.length > 0 || last.length > 0) throw broken(`${shown(first)} is not a function`);
      return this.#operand(first, frame);
    }
    if (first.name === "and" || first.name === "or")
      return this.#logic(first.name, rest, frame, last);
    const values = rest.map((operand) => this.#operand(operand, frame));
    return this.#call(first.name, [...values, ...last]);
  }

  #logic(
    name: "and" | "or",
    rest: readonly Operand[],
    frame: Frame,
    last: readonly unknown[],
  ): unknown {
    let value: unknown;
    for (const next of [
      ...rest.map((operand) => () => this.#operand(operand, frame)),
      ...last.map((one) => () => one),
    ]) {
      value = next();
      if (isTrue(value) === (name === "or")) return value;
    }
    return value;
  }

  #call(name: string, values: readonly unknown[]): unknown {
    const call = Object.hasOwn(this.#functions, name) ? this.#functions[name] : undefined;
    if (!call) throw broken(`there is no function ${name}`);
    if (values.length === 0 && call.length > 0) throw broken(`${name} needs a value`);
    return call(...values);
  }

  #operand(operand: Operand, frame: Frame): unknown {
    switch (operand.kind) {
      case "literal":
        return operand.value;
      case "dot":
        return follow(frame.dot, operand.path);
      case "variable":
        return follow(frame.variables.get(operand.name), operand.path);
      case "function":
        return follow(this.#call(operand.name, []), operand.path);
      case "group":
        return follow(
          this.#pipe(operand.pipe, { ...frame, variables: new Scope(frame.variables) }),
          operand.path,
        );
    }
  }

  #write(text: string): void {
    this.#length += text.length;
    if (this.#length > maxOutput) throw broken("its output is too long");
    this.#out.push(text);
  }
}

function itemsOf(value: unknown): readonly (readonly [unknown, unknown])[] {
  if (Array.isArray(value)) return value.map((item: unknown, i) => [i, item] as const);
  if (value === undefined || value === null) return [];
  if (isRecord(value) && !(value instanceof Struct)) return sortedEntries(value);
  if (typeof value === "number" && Number.isInteger(value))
    return Array.from(
      { length: Math.min(Math.max(0, value), 1_000_000) },
      (_, i) => [i, i] as const,
    );
  throw broken(`range cannot go over ${textOf(value).slice(0, 60)}`);
}

function follow(start: unknown, path: readonly string[]): unknown {
  let value = start;
  for (const name of path) {
    if (value instanceof Struct) {
      if (!Object.hasOwn(value.fields, name)) throw noField(name, Object.keys(value.fields));
      value = value.fields[name];
    } else if (isRecord(value)) value = Object.hasOwn(value, name) ? value[name] : undefined;
    else if (value === undefined || value === null) throw broken(`nothing has no field ${name}`);
    else throw broken(`${textOf(value).slice(0, 60)} has no field ${name}`);
  }
  return value;
}

function noField(name: string, names: readonly string[]): KilnError {
  return new KilnError("TEMPLATE_INVALID", `the template failed: there is no field .${name}`, {
    hint: `Fields are ${names.map((one) => `.${one}`).join(", ")}.`,
  });
}

function shown(operand: Operand): string {
  if (operand.kind === "literal") return JSON.stringify(operand.value);
  if (operand.kind === "group") return "(...)";
  const path = operand.path.map((name) => `.${name}`).join("");
  return operand.kind === "dot" ? path || "." : operand.name + path;
}

function broken(why: string): KilnError {
  return new KilnError("TEMPLATE_INVALID", `the template failed: ${why}`);
}
