// What the operating system refuses to an action on files, in words that name the path as the action means it.
import { isKilnError, KilnError } from "../../../base/index.ts";

/** Of the tree and what is asked of it, not of the machine; in the C library's words, since Node has its own. */
const ofTheTree: ReadonlyMap<string, string> = new Map([
  ["EEXIST", "file exists"],
  ["EINVAL", "invalid argument"],
  ["EISDIR", "is a directory"],
  ["ELOOP", "too many levels of symbolic links"],
  ["EMLINK", "too many links"],
  ["ENAMETOOLONG", "file name too long"],
  ["ENOENT", "no such file or directory"],
  ["ENOTDIR", "not a directory"],
  ["ENOTEMPTY", "directory not empty"],
  ["EXDEV", "invalid cross-device link"],
]);

/** `roots` are where the trees lie on this machine meanwhile. Other errors pass unchanged. */
export function actionError(error: unknown, roots: readonly string[]): unknown {
  if (!(error instanceof Error) || isKilnError(error)) return error;
  // Of a link, `path` is what it says and `dest` where it was to be.
  const {
    code = "",
    path,
    dest,
    syscall,
  } = error as NodeJS.ErrnoException & {
    readonly dest?: string;
  };
  const place = dest ?? path;
  const words = ofTheTree.get(code);
  if (words === undefined || typeof place !== "string") return error;
  const root = roots.find((one) => place === one || place.startsWith(`${one}/`));
  if (root === undefined) return error;
  const where = place.slice(root.length) || "/";
  return new KilnError("PATH_INVALID", `${syscall ?? "writing"} ${where}: ${words}`, {
    cause: error,
  });
}
