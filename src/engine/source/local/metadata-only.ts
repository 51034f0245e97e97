// Transfers of a directory's list alone (`local.metadatatransfer`): contents come only of what is excepted from that.
import type { Attrs, FileEntry } from "../../../api/index.ts";
import { goMode, KilnError, parseBool } from "../../../base/index.ts";
import { compilePatterns, type PatternMatcher } from "../../../formats/patterns/index.ts";
import { fsutilStat } from "../../../formats/proto/index.ts";
import { fileType } from "../../../storage/directory/index.ts";
import { parseList } from "./attributes.ts";

/** An entry of the other side's list, and its number in it. */
export interface Numbered {
  readonly index: number;
  readonly entry: FileEntry;
}

/** The file that has the list, at the top of what comes; the other side's own of that name is left out. */
export const listName = ".fsutil-metadata";

/** Largest list that is taken, in bytes. */
const maxList = 1 << 30;

/**
 * What is taken of one list: everything in `list()`, in the form of the reference's (each entry as a message of fsutil.types.Stat
 * after its length in four bytes, little endian), and as files those that a pattern of the exceptions matches, with the
 * directories that they are in.
 */
export class MetadataOnly {
  readonly #exceptions: PatternMatcher | undefined;
  readonly #list: Uint8Array[] = [];
  #size = 0;
  /** Directories that the last entry is in and that nothing has been taken of. */
  #parents: Numbered[] = [];
  /** Regular files that were taken. */
  readonly #files = new Set<string>();

  constructor(exceptions: readonly string[]) {
    this.#exceptions = exceptions.length > 0 ? compilePatterns(exceptions) : undefined;
  }

  /** The entries that this one makes files, outermost first; in the order of the list. Throws `PATH_INVALID`. */
  take(index: number, entry: FileEntry): readonly Numbered[] {
    if (entry.path === listName) return [];
    this.#note(entry);
    this.#parents = this.#parents.filter((parent) =>
      entry.path.startsWith(`${parent.entry.path}/`),
    );
    const own = { index, entry };
    const type = fileType(entry.mode);
    if (this.#exceptions?.matchesOrParent(entry.path) !== true) {
      if (type === "directory") this.#parents.push(own);
      return [];
    }
    if (type === "file") {
      if (entry.linkname !== undefined && !this.#files.has(entry.linkname))
        throw new KilnError(
          "PATH_INVALID",
          `${entry.path} is a link to ${entry.linkname}, whose contents are not transferred`,
        );
      this.#files.add(entry.path);
    }
    return [...this.#parents.splice(0), own];
  }

  list(): readonly Uint8Array[] {
    return this.#list;
  }

  /** Of the list, in bytes. */
  get size(): number {
    return this.#size;
  }

  #note(entry: FileEntry): void {
    const { path, mode, uid, gid, size, mtime, linkname = "", devMajor = 0, devMinor = 0 } = entry;
    const stat = fsutilStat.Stat.encode({
      path,
      mode: goMode(mode),
      uid,
      gid,
      size,
      modTime: String(mtime),
      linkname,
      devmajor: devMajor,
      devminor: devMinor,
      xattrs: new Map([...(entry.xattrs ?? [])].map(([name, value]) => [name, value.slice()])),
    }).finish();
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, stat.length, true);
    this.#list.push(length, stat);
    this.#size += 4 + stat.length;
    if (this.#size > maxList)
      throw new KilnError("PATH_INVALID", `a list of files of more than ${maxList} bytes`);
  }
}

/** The patterns of what is transferred whole; undefined where everything is. Throws `DEFINITION_INVALID`. */
export function parseMetadataTransfer(attrs: Attrs): readonly string[] | undefined {
  const text = attrs["local.metadatatransfer"];
  if (text === undefined) return undefined;
  const asked = parseBool(text);
  if (asked === undefined)
    throw new KilnError(
      "DEFINITION_INVALID",
      `invalid value for local.metadatatransfer ${JSON.stringify(text)}`,
    );
  return asked ? (parseList(attrs, "local.metadatatransferexclude") ?? []) : undefined;
}
