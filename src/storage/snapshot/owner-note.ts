// Who a file belongs to in the image, kept in an attribute where all files must belong to the one user there is.
import { decodeName } from "../../base/index.ts";
import { loadSyscalls } from "./syscalls.ts";

/** `UID:GID`; never written to an archive. */
const attribute = "user.kiln.owner";

/**
 * Notes the owner of a regular file or directory that this user cannot give away. Links and special files take no such
 * note: they stay root's.
 */
export function noteOwner(path: string, uid: number, gid: number): void {
  try {
    if (uid !== 0 || gid !== 0)
      loadSyscalls().lsetxattr(path, attribute, new TextEncoder().encode(`${uid}:${gid}`));
    else if (loadSyscalls().lgetxattr(path, attribute) !== undefined)
      loadSyscalls().lremovexattr(path, attribute);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "EOPNOTSUPP" && code !== "EACCES")
      throw error;
  }
}

/** Takes the note out of a file's attributes; undefined where there is none that makes sense. */
export function takeOwner(
  attributes: Map<string, Uint8Array>,
): { readonly uid: number; readonly gid: number } | undefined {
  const value = attributes.get(attribute);
  if (value === undefined) return undefined;
  attributes.delete(attribute);
  const [, uid, gid] = /^(\d{1,10}):(\d{1,10})$/.exec(decodeName(value)) ?? [];
  return uid === undefined || gid === undefined
    ? undefined
    : { uid: Number(uid), gid: Number(gid) };
}
