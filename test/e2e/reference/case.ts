// A case of the comparison with the reference: a Dockerfile, the files around it, and flags that both builders take.

/** One thing in a build context. A string is a file with that text; times are fixed for all. */
export type ContextFile =
  | string
  | {
      readonly text?: string;
      /** Permission bits; 0644 for files and 0755 for directories. */
      readonly mode?: number;
      readonly uid?: number;
      readonly gid?: number;
      /** Target of a symbolic link. */
      readonly link?: string;
      /** Name in the context of the file that this is another name of. */
      readonly hard?: string;
      readonly directory?: true;
      readonly fifo?: true;
      /** Length of a file of zeros. */
      readonly zeros?: number;
      /** base64 */
      readonly bytes?: string;
    };

export type ContextFiles = Readonly<Record<string, ContextFile>>;

export interface ReferenceCase {
  /** Unique; a file name. */
  readonly name: string;
  readonly dockerfile: string;
  readonly files?: ContextFiles;
  /** Flags of `build`, beside output and context. */
  readonly flags?: readonly string[];
  /** A Dockerfile of an image that the case can use as `before`. */
  readonly before?: string;
  /** Where Kiln differs on purpose (docs/dockerfile.md): makes lines of both alike; those that become empty do not count. */
  readonly differs?: (line: string) => string;
}

/** A case; the margin that the source code gives the Dockerfile's lines is taken off. */
export function dockerfileCase(
  name: string,
  dockerfile: string,
  more: Omit<ReferenceCase, "name" | "dockerfile"> = {},
): ReferenceCase {
  return { name, dockerfile: withoutMargin(dockerfile), ...more };
}

/** The text without its first line break and without the spaces that all lines begin with. */
export function withoutMargin(text: string): string {
  const lines = text.replace(/^\n/, "").split("\n");
  const margins = lines
    .filter((line) => line.trim() !== "")
    .map((line) => /^ */.exec(line)?.[0].length ?? 0);
  const margin = Math.min(...margins);
  return lines
    .map((line) => line.slice(margin))
    .join("\n")
    .replace(/ *$/, "");
}
