// What RUN, CMD and ENTRYPOINT run: a JSON array of words, or a line for the shell.
import type { Request } from "./instruction.ts";

/** An inline file of a command line. */
export interface InlineFile {
  readonly name: string;
  /** As written: `chompHeredoc` takes the leading tabs. */
  readonly data: string;
  readonly chomp: boolean;
}

/** A command as written. */
export interface CommandLine {
  /** The words of the JSON form, or the one line of the shell form; empty where nothing is given. */
  readonly command: readonly string[];
  /** True for the shell form: SHELL's words go before it. */
  readonly shell: boolean;
  readonly files: readonly InlineFile[];
}

/** The instruction's heredocs. */
export function inlineFiles({ node }: Request): readonly InlineFile[] {
  return node.heredocs.map(({ name, content, chomp }) => ({ name, data: content, chomp }));
}

/** The words of the JSON form, or the shell form's words as one; for HEALTHCHECK's command too. */
export function commandWords(request: Request, args: readonly string[]): readonly string[] {
  return request.node.json || args.length === 0 ? args : [args.join(" ")];
}
