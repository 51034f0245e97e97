// Trouble with a file that the user has named: his mistake where it is not there, not ours.
import { fromNodeError, KilnError } from "../../../base/index.ts";

const words: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or directory",
  ENOTDIR: "part of its path is no directory",
  EISDIR: "it is a directory",
  ELOOP: "its links lead in a circle",
  ENAMETOOLONG: "its name is too long",
};

/** What to throw for a failure of node's while `doing` something with a file that a flag names. */
export function namedFileError(error: unknown, doing: string): unknown {
  const code = error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? "") : "";
  const why = Object.hasOwn(words, code) ? words[code] : undefined;
  if (why === undefined) return fromNodeError(error, doing);
  return new KilnError("FLAG_INVALID", `${doing}: ${why}`, { cause: error });
}
