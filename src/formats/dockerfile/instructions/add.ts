// ADD: copies files of the build context, archives, and what http and git URLs hold.
import { readFlags } from "./flags.ts";
import type { ExpandWord, InstructionBase, Request } from "./instruction.ts";
import { expandSources, readSources, type Sources } from "./sources.ts";

/** `ADD [flags] <source>... <destination>`. */
export interface AddInstruction extends InstructionBase, Sources {
  readonly kind: "add";
  readonly chown: string;
  readonly chmod: string;
  readonly link: boolean;
  readonly exclude: readonly string[];
  /** Undefined where the flag is not given. */
  readonly keepGitDir?: boolean;
  readonly checksum: string;
  /** Undefined where the flag is not given: then local archives are unpacked and remote ones are not. */
  readonly unpack?: boolean;
}

const flagTable = {
  exclude: "list",
  chown: "text",
  chmod: "text",
  link: "boolean",
  "keep-git-dir": "boolean",
  checksum: "text",
  unpack: "boolean",
} as const;

export function parseAdd(request: Request): AddInstruction {
  const flags = readFlags(request, flagTable);
  const sources = readSources(request);
  return {
    kind: "add",
    keyword: request.node.keyword,
    code: request.code,
    lines: request.node.lines,
    comments: request.node.comments,
    ...sources,
    chown: flags.chown,
    chmod: flags.chmod,
    link: flags.link ?? false,
    exclude: flags.exclude,
    checksum: flags.checksum,
    ...(flags["keep-git-dir"] === undefined ? {} : { keepGitDir: flags["keep-git-dir"] }),
    ...(flags.unpack === undefined ? {} : { unpack: flags.unpack }),
  };
}

/** With variables replaced in flags, sources, destination and, unless quoted, inline files. */
export function expandAdd(add: AddInstruction, expand: ExpandWord): AddInstruction {
  const chown = expand(add.chown);
  const chmod = expand(add.chmod);
  const checksum = expand(add.checksum);
  const exclude = add.exclude.map(expand);
  return { ...add, chown, chmod, checksum, exclude, ...expandSources(add, expand) };
}
