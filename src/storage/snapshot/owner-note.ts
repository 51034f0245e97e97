// Who a file belongs to in the image, kept in an attribute where all files must belong to the one user there is.
import { decodeName } from "../../base/index.ts";
import { loadSyscalls } from "./syscalls.ts";

/** The attribute's name. Its value is `UID:GID`; it is never written to an archive. */
export const ownerNote = "user.kiln.owner";

export interface NotedOwner {
  readonly uid: number;
  readonly gid: number;
}

/** The attribute's value; undefined for root's files, which have none. */
export function encodeOwner({ uid, gid }: NotedOwner): Uint8Array | undefined {
  return uid === 0 && gid === 0 ? undefined : new TextEncoder().encode(`${uid}:${gid}`);
}

/** Undefined for what makes no sense. */
export function decodeOwner(value: Uint8Array): NotedOwner | undefined {
  const [, uid, gid] = /^(\d{1,10}):(\d{1,10})$/.exec(decodeName(value)) ?? [];
  return uid === undefined || gid === undefined
    ? undefined
    : { uid: Number(uid), gid: Number(gid) };
}

/**
 * Notes the owner of a regular file or directory that this user cannot give away. Links and special files take no such
 * note: they stay root's.
 */
export function noteOwner(path: string, uid: number, gid: number): void {
  try {
    const note = encodeOwner({ uid, gid });
    if (note !== undefined) loadSyscalls().lsetxattr(path, ownerNote, note);
    else if (loadSyscalls().lgetxattr(path, ownerNote) !== undefined)
      loadSyscalls().lremovexattr(path, ownerNote);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "EOPNOTSUPP" && code !== "EACCES")
      throw error;
  }
}

/** Takes the note out of a file's attributes; undefined where there is none that makes sense. */
export function takeOwner(attributes: Map<string, Uint8Array>): NotedOwner | undefined {
  const value = attributes.get(ownerNote);
  if (value === undefined) return undefined;
  attributes.delete(ownerNote);
  return decodeOwner(value);
}
