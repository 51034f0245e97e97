// Owners by name: looked up in the passwd and group files of an image, never in the host's.
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { KilnError } from "../../../base/index.ts";
import type { OwnerId, Owner as OwnerWords } from "../../../formats/llb/index.ts";
import type { Owner } from "./attributes.ts";
import { type FileView, resolveInView } from "./view.ts";

/** Larger passwd and group files are refused: an image could hold one that fills the memory. */
const databaseLimit = 10 << 20;

type Database = "/etc/passwd" | "/etc/group";

/** What is needed to look owners up. */
export interface OwnerLookup {
  /** The files of one of the op's inputs. */
  readonly viewOf: (input: number) => FileView | undefined;
  /** Is told of names that are not known. */
  readonly warn: (message: string) => void;
}

const rootOwner: Owner = { uid: 0, gid: 0 };

/**
 * The numeric owner that `--chown` means. A user without a group gets the group that passwd gives it by name, or the group
 * of its own number. As with the reference a name that the image does not know is root's, after a warning, and a group that
 * it does not know the user's own; with no image to look into, a name is an error.
 */
export function resolveOwner(
  owner: OwnerWords | undefined,
  lookup: OwnerLookup,
): Owner | undefined {
  if (!owner) return undefined;
  const { user, group } = owner;
  const byUser = (user && resolveId("/etc/passwd", user, lookup)) ?? rootOwner;
  const byGroup = group && resolveId("/etc/group", group, lookup);
  return byGroup ? { uid: byUser.uid, gid: byGroup.gid } : byUser;
}

/** Both ids of a database entry; for a group they are the same. Undefined where there is none. */
function resolveId(
  database: Database,
  id: OwnerId,
  { viewOf, warn }: OwnerLookup,
): Owner | undefined {
  if ("id" in id) return { uid: id.id, gid: id.id };
  const kind = database === "/etc/passwd" ? "user" : "group";
  if (id.input === undefined) {
    throw new KilnError(
      "COPY_NOT_FOUND",
      `invalid user index: -1: there is no ${database} to look up ${kind} ${JSON.stringify(id.name)} in`,
      { hint: `Give the ${kind}'s number: scratch has no names.` },
    );
  }
  for (const line of readDatabase(database, viewOf(id.input)).split("\n")) {
    const [name, , number, ownGroup] = line.split(":");
    if (name !== id.name) continue;
    const uid = parseId(number);
    if (uid === undefined) break;
    return { uid, gid: database === "/etc/passwd" ? (parseId(ownGroup) ?? 0) : uid };
  }
  const instead = kind === "user" ? "root is taken" : "the user's own is taken";
  warn(`--chown: ${kind} ${JSON.stringify(id.name)} is not in the image's ${database}: ${instead}`);
  return undefined;
}

function parseId(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

function readDatabase(path: Database, view: FileView | undefined): string {
  if (!view) return "";
  const resolved = resolveInView(view, path, true);
  if (view.lstat(resolved)?.type !== "file") return "";
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = openSync(view.hostPath(resolved), flags);
  try {
    const size = fstatSync(file).size;
    if (size > databaseLimit)
      throw new KilnError("IMAGE_INVALID", `the image's ${path} has ${size} bytes`);
    const data = new Uint8Array(size);
    return new TextDecoder().decode(data.subarray(0, readSync(file, data)));
  } finally {
    closeSync(file);
  }
}
