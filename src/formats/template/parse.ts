// From words to a tree (text/template/parse): blocks by their keywords, pipelines by their signs.
import type { Block, Node, Operand, Pipe, Tree } from "./ast.ts";
import { invalidTemplate, type Piece, splitTemplate, type Token } from "./tokens.ts";

/** Blocks and groups within each other: deeper ones are a mistake. */
const maxDepth = 200;

/** `functions` are the names that may be called. Throws `TEMPLATE_INVALID`. */
export function parseTree(text: string, functions: ReadonlySet<string>): Tree {
  const parser = new Parser(splitTemplate(text), functions);
  const main = parser.block(0, [], false);
  return { main: main.nodes, defined: parser.defined };
}

interface ReadBlock {
  readonly nodes: Block;
  /** `end`, or `else` with what follows it; undefined at the end of the text. */
  readonly stop: Words | undefined;
}

class Parser {
  readonly defined = new Map<string, Block>();
  readonly #pieces: readonly Piece[];
  readonly #functions: ReadonlySet<string>;
  #at = 0;

  constructor(pieces: readonly Piece[], functions: ReadonlySet<string>) {
    this.#pieces = pieces;
    this.#functions = functions;
  }

  /** Nodes up to one of the words in `stops`. */
  block(depth: number, stops: readonly string[], inRange: boolean): ReadBlock {
    if (depth > maxDepth) throw invalidTemplate("its blocks are nested too deep");
    const nodes: Node[] = [];
    for (let piece = this.#next(); piece; piece = this.#next()) {
      if (piece.kind === "text") {
        nodes.push(piece);
        continue;
      }
      const words = new Words(piece.tokens, this.#functions);
      const keyword = words.keyword();
      if (stops.includes(keyword)) return { nodes, stop: words };
      const node = this.#action(keyword, words, depth, inRange);
      if (node) nodes.push(node);
    }
    if (stops.length > 0) throw invalidTemplate("a block has no {{end}}");
    return { nodes, stop: undefined };
  }

  #next(): Piece | undefined {
    return this.#pieces[this.#at++];
  }

  #action(keyword: string, words: Words, depth: number, inRange: boolean): Node | undefined {
    switch (keyword) {
      case "if":
      case "with":
      case "range":
        return this.#control(keyword, words, depth, inRange);
      case "define":
      case "block":
        return this.#define(keyword, words, depth);
      case "template": {
        words.skip();
        const name = words.string();
        return { kind: "template", name, pipe: words.done() ? undefined : words.pipe(false) };
      }
      case "break":
      case "continue":
        if (!inRange) throw invalidTemplate(`{{${keyword}}} outside {{range}}`);
        return { kind: keyword };
      case "end":
      case "else":
        throw invalidTemplate(`unexpected {{${keyword}}}`);
      default:
        return { kind: "print", pipe: words.pipe(false) };
    }
  }

  #control(kind: "if" | "with" | "range", words: Words, depth: number, inRange: boolean): Node {
    words.skip();
    const pipe = words.pipe(kind === "range");
    const within = inRange || kind === "range";
    const { nodes: body, stop } = this.block(depth + 1, ["else", "end"], within);
    if (stop?.keyword() !== "else") return { kind, pipe, body, otherwise: [] };
    stop.skip();
    if (stop.done()) {
      const { nodes: otherwise } = this.block(depth + 1, ["end"], inRange);
      return { kind, pipe, body, otherwise };
    }
    const next = stop.keyword();
    if (next !== kind || kind === "range")
      throw invalidTemplate(`{{else ${next}}} does not belong to {{${kind}}}`);
    return { kind, pipe, body, otherwise: [this.#control(kind, stop, depth + 1, inRange)] };
  }

  #define(kind: "define" | "block", words: Words, depth: number): Node | undefined {
    words.skip();
    const name = words.string();
    const pipe = kind === "block" ? words.pipe(false) : undefined;
    this.defined.set(name, this.block(depth + 1, ["end"], false).nodes);
    return kind === "block" ? { kind: "template", name, pipe } : undefined;
  }
}

/** The words of one action, read from left to right. */
class Words {
  readonly #tokens: readonly Token[];
  readonly #functions: ReadonlySet<string>;
  #at = 0;

  constructor(tokens: readonly Token[], functions: ReadonlySet<string>) {
    this.#tokens = tokens;
    this.#functions = functions;
  }

  keyword(): string {
    const token = this.#tokens[this.#at];
    return token?.kind === "word" ? token.text : "";
  }

  skip(): void {
    this.#at++;
  }

  done(): boolean {
    return this.#at >= this.#tokens.length;
  }

  string(): string {
    const token = this.#tokens[this.#at++];
    if (token?.kind === "literal" && typeof token.value === "string") return token.value;
    throw invalidTemplate("the name of a template must be a string in quotes");
  }

  /** To the end of the action. */
  pipe(inRange: boolean): Pipe {
    const pipe = this.#pipe(inRange, 0);
    if (!this.done()) throw invalidTemplate(`unexpected ${this.#shown()}`);
    return pipe;
  }

  #pipe(inRange: boolean, depth: number): Pipe {
    if (depth > maxDepth) throw invalidTemplate("its groups are nested too deep");
    const { variables, declares } = this.#declaration(inRange);
    const commands: Operand[][] = [];
    do {
      const command = this.#command(depth);
      if (command.length === 0) throw invalidTemplate("a value is missing");
      commands.push(command);
    } while (this.#takes("|"));
    return { variables, declares, commands };
  }

  #declaration(inRange: boolean): { variables: readonly string[]; declares: boolean } {
    const start = this.#at;
    const variables: string[] = [];
    while (this.#tokens[this.#at]?.kind === "variable") {
      variables.push(this.#text(this.#at++));
      if (!this.#takes(",")) break;
    }
    const sign = this.#tokens[this.#at];
    const text = sign?.kind === "sign" ? sign.text : "";
    const fits = variables.length === 1 || (inRange && variables.length === 2);
    if (fits && (text === ":=" || text === "=")) {
      this.#at++;
      return { variables, declares: text === ":=" };
    }
    this.#at = start;
    return { variables: [], declares: false };
  }

  #command(depth: number): Operand[] {
    const operands: Operand[] = [];
    for (let operand = this.#operand(depth); operand; operand = this.#operand(depth))
      operands.push(operand);
    return operands;
  }

  #operand(depth: number): Operand | undefined {
    const token = this.#tokens[this.#at];
    if (!token) return undefined;
    if (token.kind === "literal") {
      this.#at++;
      return { kind: "literal", value: token.value };
    }
    if (token.kind === "field") return { kind: "dot", path: this.#path(true) };
    if (token.kind === "variable") {
      this.#at++;
      return { kind: "variable", name: token.text, path: this.#path(false) };
    }
    if (token.kind === "word") return this.#word(token.text);
    if (token.text === ".") {
      this.#at++;
      return { kind: "dot", path: [] };
    }
    if (token.text !== "(") return undefined;
    this.#at++;
    const pipe = this.#pipe(false, depth + 1);
    if (!this.#takes(")")) throw invalidTemplate("a ) is missing");
    return { kind: "group", pipe, path: this.#path(false) };
  }

  #word(text: string): Operand {
    this.#at++;
    if (text === "true" || text === "false") return { kind: "literal", value: text === "true" };
    if (text === "nil") return { kind: "literal", value: null };
    if (!this.#functions.has(text))
      throw invalidTemplate(`there is no function ${JSON.stringify(text)}`);
    return { kind: "function", name: text, path: [] };
  }

  /** `.A.B` right behind each other; a blank ends it. */
  #path(first: boolean): readonly string[] {
    const path: string[] = [];
    for (
      let token = this.#tokens[this.#at];
      token?.kind === "field";
      token = this.#tokens[this.#at]
    ) {
      if (token.spaced && !(first && path.length === 0)) break;
      path.push(token.text.slice(1));
      this.#at++;
    }
    return path;
  }

  #takes(sign: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.kind !== "sign" || token.text !== sign) return false;
    this.#at++;
    return true;
  }

  #text(at: number): string {
    const token = this.#tokens[at];
    return token && token.kind !== "literal" ? token.text : "";
  }

  #shown(): string {
    const token = this.#tokens[this.#at];
    return JSON.stringify(token?.kind === "literal" ? String(token.value) : (token?.text ?? ""));
  }
}
