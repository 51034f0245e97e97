// What the operating system refuses to an action on files, in words that name the path as the action means it.
import { isKilnError, KilnError } from "../../../base/index.ts";

/** Of the tree and what is asked of it, not of the machine. */
const ofTheTree = new Set([
  "EEXIST",
  "EINVAL",
  "EISDIR",
  "ELOOP",
  "EMLINK",
  "ENAMETOOLONG",
  "ENOENT",
  "ENOTDIR",
  "ENOTEMPTY",
  "EXDEV",
]);

/** `roots` are where the trees lie on this machine meanwhile. Other errors pass unchanged. */
export function actionError(error: unknown, roots: readonly string[]): unknown {
  if (!(error instanceof Error) || isKilnError(error)) return error;
  // Of a link, `path` is what it says and `dest` where it was to be.
  const {
    code = "",
    message,
    path,
    dest,
    syscall,
  } = error as NodeJS.ErrnoException & {
    readonly dest?: string;
  };
  const place = dest ?? path;
  if (!ofTheTree.has(code) || typeof place !== "string") return error;
  const root = roots.find((one) => place === one || place.startsWith(`${one}/`));
  if (root === undefined) return error;
  const words = /^[A-Z]+: ([^,]+)/.exec(message)?.[1] ?? code;
  const where = place.slice(root.length) || "/";
  return new KilnError("PATH_INVALID", `${syscall ?? "writing"} ${where}: ${words}`, {
    cause: error,
  });
}
