// Splits a Dockerfile into instructions: lines, continuations, comments, directives and heredocs.
import { type Arguments, splitters, unknownSplitter } from "./arguments.ts";
import type {
  DockerfileTree,
  Heredoc,
  InstructionNode,
  LineRange,
  ParserWarning,
  Problem,
} from "./ast.ts";
import {
  createDirectiveReader,
  type Directive,
  type DirectiveReader,
  type EscapeToken,
} from "./directives.ts";
import { type HeredocStart, heredocsOf } from "./heredoc.ts";
import { createLineReader, isTooLong, type LineReader, MAX_LINE_BYTES } from "./lines.ts";
import { splitLine } from "./split.ts";
import { decodeText, trimSpace, trimStart } from "./text.ts";

/** Largest Dockerfile, in bytes. */
export const MAX_DOCKERFILE_BYTES: number = 16 * 1024 * 1024;

/** Instructions of one file; mistakes that are told; comment lines above one instruction that are kept. */
export const MAX_INSTRUCTIONS = 100_000;
export const MAX_PROBLEMS = 100;
const MAX_COMMENTS = 10_000;

const emptyContinuation = {
  detail: ["Empty continuation lines will become errors in a future release"],
  url: "https://docs.docker.com/go/dockerfile/rule/no-empty-continuation/",
};

/** What a Dockerfile holds, and every mistake in how it is written; instructions with mistakes are left out. */
export interface ParsedDockerfile {
  readonly value: DockerfileTree;
  readonly problems: readonly Problem[];
}

/** Splits a Dockerfile into instructions. Never throws; always ends in time that grows with the file alone. */
export function parseDockerfile(data: Uint8Array): ParsedDockerfile {
  if (data.length > MAX_DOCKERFILE_BYTES) {
    const message = `the Dockerfile has ${data.length} bytes, more than the ${MAX_DOCKERFILE_BYTES} that are read`;
    const value: DockerfileTree = {
      instructions: [],
      directives: [],
      escape: "\\",
      warnings: [],
      text: "",
    };
    return { value, problems: [{ message, at: [] }] };
  }
  return parseText(decodeText(data));
}

/** As `parseDockerfile`, of text that is decoded already; for ONBUILD's instructions. */
export function parseText(text: string): ParsedDockerfile {
  const file = new FileParser(text);
  file.run();
  const { instructions, warnings, directives, problems } = file;
  return { value: { instructions, directives, escape: file.escape, warnings, text }, problems };
}

/** One pass over one file. */
class FileParser {
  readonly instructions: InstructionNode[] = [];
  readonly warnings: ParserWarning[] = [];
  readonly problems: Problem[] = [];
  readonly directives: Directive[] = [];
  readonly #text: string;
  readonly #lines: LineReader;
  readonly #reader: DirectiveReader = createDirectiveReader();
  /** Those right above, where there are any. */
  #comments: string[] | undefined;
  #tooLong = false;

  constructor(text: string) {
    this.#text = text;
    this.#lines = createLineReader(text);
  }

  get escape(): EscapeToken {
    return this.#reader.escape;
  }

  run(): void {
    for (let line = this.#next(); line !== undefined; line = this.#next()) {
      if (this.problems.length >= MAX_PROBLEMS) break;
      if (this.instructions.length >= MAX_INSTRUCTIONS) {
        const at = [{ start: this.#lines.number, end: this.#lines.number }];
        this.problems.push({ message: `more than ${MAX_INSTRUCTIONS} instructions`, at });
        break;
      }
      this.#line(line);
    }
    if (this.instructions.length > 0 || this.problems.length > 0) return;
    const last = this.#lines.number;
    this.problems.push({
      message: "file with no instructions",
      at: [{ start: last, end: last }],
      hint: "A Dockerfile begins with FROM, which names the image that it builds on.",
    });
  }

  /** The next line without its line end; none after a line that is too long. */
  #next(): string | undefined {
    const line = this.#tooLong ? undefined : this.#lines.next();
    if (line === undefined || !isTooLong(line)) return line;
    this.#tooLong = true;
    const at = [{ start: this.#lines.number, end: this.#lines.number }];
    this.problems.push({
      message: `dockerfile line greater than maximum allowed size of ${MAX_LINE_BYTES}`,
      at,
    });
    return undefined;
  }

  #line(raw: string): void {
    const line = trimStart(trimLineEnd(raw));
    const start = this.#lines.number;
    const directive = this.#reader.read(line, start);
    if (typeof directive === "string") {
      const hint =
        "Each directive may stand there once; `# escape=` takes a backslash or a backtick.";
      this.problems.push({ message: directive, at: [{ start, end: start }], word: line, hint });
    } else if (directive) this.directives.push(directive);
    if (line.startsWith("#")) {
      // The reference takes the first character of the line as it stands, so an indented comment keeps its sign.
      if (typeof directive !== "object") this.#comment(raw.slice(1));
      return;
    }
    if (line === "") return;
    const { original, empty } = this.#continued(line);
    const lines = { start, end: this.#lines.number };
    if (empty) {
      const at = { start: lines.end, end: lines.end };
      this.warnings.push({
        message: `Empty continuation line found in: ${original}`,
        ...emptyContinuation,
        lines: at,
      });
    }
    this.#instruction(original, lines);
    this.#comments = undefined;
  }

  #comment(written: string): void {
    const text = trimSpace(written);
    if (text === "") this.#comments = undefined;
    else if (this.#comments === undefined) this.#comments = [text];
    else if (this.#comments.length < MAX_COMMENTS) this.#comments.push(text);
  }

  /** The instruction's lines joined: those that end with the escape character, and the one that does not. */
  #continued(first: string): { original: string; empty: boolean } {
    let end = continuationAt(first, this.escape);
    if (end === -1) return { original: first, empty: false };
    const parts = [first.slice(0, end)];
    let empty = false;
    while (end !== -1) {
      const raw = this.#next();
      if (raw === undefined) break;
      const line = trimLineEnd(raw);
      const start = trimStart(line);
      if (start.startsWith("#")) continue;
      if (start === "") {
        empty = true;
        continue;
      }
      end = continuationAt(line, this.escape);
      parts.push(end === -1 ? line : line.slice(0, end));
    }
    return { original: parts.join(""), empty };
  }

  #instruction(original: string, lines: LineRange): void {
    const parsed = parseInstruction(original, {
      token: this.escape,
      lines,
      comments: this.#comments ?? none,
      depth: 0,
    });
    if ("message" in parsed) {
      this.problems.push(parsed);
      return;
    }
    const heredocs = this.#heredocs(parsed, lines);
    if (heredocs === undefined) return;
    const end = this.#lines.number;
    this.instructions.push(
      heredocs.length === 0 ? parsed : { ...parsed, heredocs, lines: { ...lines, end } },
    );
  }

  /** Undefined when a heredoc is broken. */
  #heredocs(node: InstructionNode, lines: LineRange): readonly Heredoc[] | undefined {
    if (!node.original.includes("<<") || !mayHaveHeredocs(node)) return [];
    const heredocs: Heredoc[] = [];
    for (const start of heredocsOf(node.original)) {
      const content = this.#heredocContent(start);
      if (content === undefined) {
        this.#unterminated(start, { start: lines.start, end: this.#lines.number });
        return undefined;
      }
      heredocs.push({ ...start, content });
    }
    return heredocs;
  }

  /** The lines up to the one that is the heredoc's name; undefined when there is none. */
  #heredocContent({ name, chomp }: HeredocStart): string | undefined {
    const from = this.#lines.offset;
    for (let to = from; ; to = this.#lines.offset) {
      const raw = this.#next();
      if (raw === undefined) return undefined;
      const line = trimLineEnd(raw);
      if ((chomp ? line.replace(/^\t+/, "") : line) === name) return this.#text.slice(from, to);
    }
  }

  #unterminated({ name }: HeredocStart, lines: LineRange): void {
    const body = this.#text.split("\n").slice(lines.start, lines.end);
    const indented = body.findIndex((line) => trimSpace(line) === name);
    const hint =
      indented === -1
        ? `Add a line that is ${name} and nothing else where the file ends.`
        : `Line ${lines.start + 1 + indented} is indented: move ${name} to the line's beginning, or write <<-${name} and indent with tabs.`;
    this.problems.push({ message: "unterminated heredoc", at: [lines], word: name, hint });
  }
}

interface InstructionPlace {
  readonly token: EscapeToken;
  readonly lines: LineRange;
  readonly comments: readonly string[];
  /** How many ONBUILDs it stands in. */
  readonly depth: number;
}

/** One instruction from its joined line; or what is wrong with it. */
function parseInstruction(
  original: string,
  { token, lines, comments, depth }: InstructionPlace,
): InstructionNode | Problem {
  const { keyword, flags, rest } = splitLine(original);
  const kind = keyword.toLowerCase();
  const split = (Object.hasOwn(splitters, kind) ? splitters[kind] : undefined) ?? unknownSplitter;
  // What an unknown instruction says is not looked at: it is refused later, with its name.
  const result = kind === "onbuild" ? noArguments : split(rest, token, keyword);
  if ("mistake" in result) {
    const { mistake: message, ...more } = result;
    return { message, at: [lines], ...more };
  }
  const { args, json } = result;
  const node = { keyword, flags, args, json, heredocs: none, original, comments, lines };
  if (kind !== "onbuild" || rest === "") return node;
  if (depth >= MAX_TRIGGERS)
    return { message: "ONBUILD is nested too deep", at: [lines], word: keyword };
  const trigger = parseInstruction(rest, { token, lines, comments: none, depth: depth + 1 });
  return "message" in trigger ? trigger : { ...node, trigger };
}

/** Shared by all instructions that have none. */
const none: readonly never[] = [];
const noArguments: Arguments = { args: none, json: false };

/** How many ONBUILDs may stand in one another; more than one are refused later, with a better word. */
const MAX_TRIGGERS = 100;

function mayHaveHeredocs(node: InstructionNode): boolean {
  const inner = node.trigger ?? node;
  return !inner.json && /^(?:add|copy|run)$/i.test(inner.keyword);
}

/** @internal Where a line's continuation character stands, -1 where it has none; two in a row are none. */
export function continuationAt(line: string, token: EscapeToken): number {
  let end = line.length - 1;
  while (end >= 0 && (line[end] === " " || line[end] === "\t")) end--;
  return line[end] === token && line[end - 1] !== token ? end : -1;
}

/** @internal Without the line end's carriage returns. */
export function trimLineEnd(line: string): string {
  let end = line.length;
  while (end > 0 && line[end - 1] === "\r") end--;
  return end === line.length ? line : line.slice(0, end);
}
