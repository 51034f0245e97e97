// Owners by name: looked up in the passwd and group files of an image, never in the host's.
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { KilnError } from "../../../base/index.ts";
import type { OwnerId, Owner as OwnerWords } from "../../../formats/llb/index.ts";
import type { Owner } from "./attributes.ts";
import { type FileView, resolveInView } from "./view.ts";

/** Larger passwd and group files are refused: an image could hold one that fills the memory. */
const databaseLimit = 10 << 20;

type Database = "/etc/passwd" | "/etc/group";

/**
 * The numeric owner that `--chown` means. `viewOf` gives the files of one of the op's inputs. A user without a group
 * gets the group that passwd gives it by name, or the group of its own number, as the reference does.
 */
export function resolveOwner(
  owner: OwnerWords | undefined,
  viewOf: (input: number) => FileView | undefined,
): Owner | undefined {
  if (!owner) return undefined;
  const { user, group } = owner;
  const byUser = user ? resolveId("/etc/passwd", user, viewOf) : { uid: 0, gid: 0 };
  if (!group) return byUser;
  return { uid: byUser.uid, gid: resolveId("/etc/group", group, viewOf).uid };
}

/** Both ids of a database entry; for a group they are the same. */
function resolveId(
  database: Database,
  id: OwnerId,
  viewOf: (input: number) => FileView | undefined,
): Owner {
  if ("id" in id) return { uid: id.id, gid: id.id };
  const view = id.input === undefined ? undefined : viewOf(id.input);
  for (const line of readDatabase(database, view).split("\n")) {
    const [name, , number, ownGroup] = line.split(":");
    if (name !== id.name) continue;
    const uid = parseId(number);
    if (uid === undefined) break;
    return { uid, gid: database === "/etc/passwd" ? (parseId(ownGroup) ?? 0) : uid };
  }
  const kind = database === "/etc/passwd" ? "user" : "group";
  throw new KilnError(
    "COPY_NOT_FOUND",
    `--chown: ${kind} ${JSON.stringify(id.name)} is not in the image's ${database}`,
    { hint: `Create the ${kind} in an earlier RUN, or give its number.` },
  );
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
