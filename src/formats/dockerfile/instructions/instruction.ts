// What all instructions have in common, and how their parsers are called and complain.
import type { InstructionNode, LineRange } from "../ast.ts";
import type { Linter } from "../lint/linter.ts";
import { trimSpace } from "../text.ts";

/** Where an instruction stands and how it was written. */
export interface InstructionBase {
  /** The keyword as written. */
  readonly keyword: string;
  /** The whole instruction as one line, without heredocs. */
  readonly code: string;
  readonly lines: LineRange;
  /** Comment lines right above. */
  readonly comments: readonly string[];
}

/** A key and value of ENV or LABEL, quotes and variables as written. */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
  /** True for the legacy form `ENV key value`. */
  readonly legacy: boolean;
}

/** Replaces variables in one word; throws a plain `Error` when the word cannot be expanded. */
export type ExpandWord = (word: string) => string;

/** What an instruction's parser gets: the node, its words, and where to complain. */
export class Request {
  readonly node: InstructionNode;
  /** Arguments; ONBUILD's start with its trigger's keyword. */
  readonly args: readonly string[];
  readonly linter: Linter;
  readonly #mistakes: Mistake[] = [];

  constructor(node: InstructionNode, linter: Linter) {
    const { args, trigger } = node;
    this.node = node;
    this.args = trigger === undefined ? args : [trigger.keyword, ...trigger.args];
    this.linter = linter;
  }

  /** The whole instruction as one line, without heredocs. */
  get code(): string {
    return trimSpace(this.node.original);
  }

  get mistakes(): readonly Mistake[] {
    return this.#mistakes;
  }

  /** Notes a mistake and goes on with the instruction. */
  note(mistake: Mistake): void {
    this.#mistakes.push(mistake);
  }
}

/** A mistake in an instruction, to be thrown; `readInstructions` makes a `Problem` of it. */
export class Mistake extends Error {
  readonly word?: string;
  readonly hint?: string;

  constructor(
    message: string,
    options: { readonly word?: string | undefined; readonly hint?: string | undefined } = {},
  ) {
    super(message);
    this.name = "Mistake";
    if (options.word !== undefined) this.word = options.word;
    if (options.hint !== undefined) this.hint = options.hint;
  }
}

/** The only argument, or a mistake. */
export function onlyArgument(request: Request): string {
  const [only] = request.args;
  if (only !== undefined && request.args.length === 1) return only;
  throw new Mistake(`${request.node.keyword.toUpperCase()} requires exactly one argument`);
}

/** Complains when there is no argument. */
export function requireArguments(request: Request): void {
  if (request.args.length === 0) {
    throw new Mistake(`${request.node.keyword.toUpperCase()} requires at least one argument`);
  }
}

/** The description of `name` in the comments above: what follows `name` and a blank. */
export function docComment(comments: readonly string[], name: string): string {
  if (name === "") return "";
  const line = comments.find((comment) => comment.startsWith(`${name} `));
  return line === undefined ? "" : line.slice(name.length + 1);
}
