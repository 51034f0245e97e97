// The sources and destination of ADD and COPY.
import { chompHeredoc, parseHeredoc } from "../heredoc.ts";
import { type ExpandWord, Mistake, type Request } from "./instruction.ts";

/** An inline file among the sources. */
export interface InlineSource {
  /** The heredoc's name: the file's name when the destination is a directory. */
  readonly path: string;
  readonly data: string;
  /** Whether variables in `data` are replaced. */
  readonly expand: boolean;
}

/** What is copied and whereto. */
export interface Sources {
  readonly sources: readonly string[];
  readonly inline: readonly InlineSource[];
  readonly destination: string;
}

export function readSources(request: Request): Sources {
  const keyword = request.node.keyword.toUpperCase();
  const destination = request.args.at(-1);
  if (destination === undefined || request.args.length < 2) {
    const given = request.args.length === 1 ? "one was" : "none were";
    throw new Mistake(
      `${keyword} requires at least two arguments, but only ${given} provided. Destination could not be determined`,
      {
        word: request.args[0],
        hint: `Write what is copied and then whereto: ${keyword} <source>... <destination>.`,
      },
    );
  }
  if (parseHeredoc(destination)) {
    throw new Mistake(`${keyword} cannot accept a heredoc as a destination`, { word: destination });
  }
  const sources: string[] = [];
  const inline: InlineSource[] = [];
  for (const source of request.args.slice(0, -1)) {
    const heredoc = parseHeredoc(source);
    if (!heredoc) {
      sources.push(source);
      continue;
    }
    // Of two files with one name, the last one written is meant by both words.
    const content =
      request.node.heredocs.findLast((file) => file.name === heredoc.name)?.content ?? "";
    const data = heredoc.chomp ? chompHeredoc(content) : content;
    inline.push({ path: heredoc.name, data, expand: heredoc.expand });
  }
  return { sources, inline, destination };
}

/** With variables replaced. An inline file's last line end is not part of what is expanded. */
export function expandSources(from: Sources, expand: ExpandWord): Sources {
  const sources = from.sources.map(expand);
  const destination = expand(from.destination);
  const inline = from.inline.map((file) =>
    file.expand ? { ...file, data: expand(file.data) } : file,
  );
  return { sources, inline, destination };
}
