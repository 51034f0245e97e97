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

/** `root` is where the tree lies on this machine meanwhile. Other errors pass unchanged. */
export function actionError(error: unknown, root: string): unknown {
  if (!(error instanceof Error) || isKilnError(error)) return error;
  const { code = "", message, path, syscall } = error as NodeJS.ErrnoException;
  if (!ofTheTree.has(code) || typeof path !== "string") return error;
  if (path !== root && !path.startsWith(`${root}/`)) return error;
  const words = /^[A-Z]+: ([^,]+)/.exec(message)?.[1] ?? code;
  const where = path.slice(root.length) || "/";
  return new KilnError("PATH_INVALID", `${syscall ?? "writing"} ${where}: ${words}`, {
    cause: error,
  });
}
