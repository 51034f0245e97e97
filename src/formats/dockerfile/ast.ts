// The syntax tree of a Dockerfile: one node an instruction, before anything is known of what the instruction means.
import type { Directive, EscapeToken } from "./directives.ts";

/** Lines of the file, counted from 1, both ends included. */
export interface LineRange {
  readonly start: number;
  readonly end: number;
}

/** An inline file: `<<NAME`, `<<-NAME`, `3<<"NAME"`. */
export interface Heredoc {
  /** The terminating word, without quotes. */
  readonly name: string;
  /** The number before `<<`; 0 where there is none. */
  readonly fileDescriptor: number;
  /** False when any part of the name is quoted: then variables in the content stay as they are. */
  readonly expand: boolean;
  /** `<<-`: leading tabs of the content go, by `chompHeredoc`. */
  readonly chomp: boolean;
  /** As written, each line with its line end; tabs are still there. */
  readonly content: string;
}

/** One instruction as written, split into words by the rules of its keyword. */
export interface InstructionNode {
  /** As written: `RUN`, `run`. Unknown keywords are kept and found out by `readInstructions`. */
  readonly keyword: string;
  /** `--name=value` words that stand before the arguments, quotes and escapes resolved. */
  readonly flags: readonly string[];
  /**
   * ENV and LABEL: three words a pair (key, value, and "=" or "" for the legacy form). RUN, CMD, ENTRYPOINT in shell form:
   * one word. HEALTHCHECK: its type first. ONBUILD: none, see `trigger`.
   */
  readonly args: readonly string[];
  /** True when the arguments were written as a JSON array. */
  readonly json: boolean;
  /** ONBUILD's inner instruction; its heredocs are on the outer node. */
  readonly trigger?: InstructionNode;
  readonly heredocs: readonly Heredoc[];
  /** The continued lines joined to one, comments within dropped. */
  readonly original: string;
  /** The comment lines right above, without `#`, from the last empty comment or instruction on. */
  readonly comments: readonly string[];
  readonly lines: LineRange;
}

/** Something worth a word about how the file is written, found while it was split into instructions. */
export interface ParserWarning {
  readonly message: string;
  readonly detail: readonly string[];
  readonly url: string;
  readonly lines: LineRange;
}

/** A mistake in the file; the file is read on after it. */
export interface Problem {
  readonly message: string;
  /** Where; several when the mistake is made by several instructions together. Empty when it is the file as a whole. */
  readonly at: readonly LineRange[];
  /** The offending text as it stands in the file, for the column and the marked span. */
  readonly word?: string;
  /** What to do about it, one sentence. */
  readonly hint?: string;
  /** What is wrong is in one instruction as such, not in how the file is laid out. */
  readonly ofInstruction?: true;
}

/** A Dockerfile split into instructions. */
export interface DockerfileTree {
  readonly instructions: readonly InstructionNode[];
  readonly directives: readonly Directive[];
  readonly escape: EscapeToken;
  readonly warnings: readonly ParserWarning[];
  /** The file's text, for excerpts. */
  readonly text: string;
}

/** One range a line, as BuildKit's source maps list an instruction's lines. */
export function rangesOf(lines: LineRange): readonly LineRange[] {
  const out: LineRange[] = [];
  for (let line = lines.start; line <= lines.end; line++) out.push({ start: line, end: line });
  return out;
}
