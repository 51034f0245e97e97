// COPY: copies files of the build context, of a stage, of a named context or of an image.
import { readFlags } from "./flags.ts";
import type { ExpandWord, InstructionBase, Request } from "./instruction.ts";
import { expandSources, readSources, type Sources } from "./sources.ts";

/** `COPY [flags] <source>... <destination>`. */
export interface CopyInstruction extends InstructionBase, Sources {
  readonly kind: "copy";
  /** "" means the build context. */
  readonly from: string;
  readonly chown: string;
  readonly chmod: string;
  readonly link: boolean;
  readonly exclude: readonly string[];
  readonly parents: boolean;
}

const flagTable = {
  exclude: "list",
  parents: "boolean",
  chown: "text",
  from: "text",
  chmod: "text",
  link: "boolean",
} as const;

export function parseCopy(request: Request): CopyInstruction {
  const flags = readFlags(request, flagTable);
  const sources = readSources(request);
  return {
    kind: "copy",
    keyword: request.node.keyword,
    code: request.code,
    lines: request.node.lines,
    comments: request.node.comments,
    ...sources,
    from: flags.from,
    chown: flags.chown,
    chmod: flags.chmod,
    link: flags.link ?? false,
    exclude: flags.exclude,
    parents: flags.parents ?? false,
  };
}

/** With variables replaced in flags (never in --from), sources, destination and, unless quoted, inline files. */
export function expandCopy(copy: CopyInstruction, expand: ExpandWord): CopyInstruction {
  const chown = expand(copy.chown);
  const chmod = expand(copy.chmod);
  const exclude = copy.exclude.map(expand);
  return { ...copy, chown, chmod, exclude, ...expandSources(copy, expand) };
}
