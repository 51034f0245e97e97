// A tree of files as far as its digest needs it, and which of its files are meant.
import type { Digest } from "../../base/index.ts";
import type { Xattrs } from "../../storage/snapshot/index.ts";
import type { HeaderStat } from "./content-header.ts";
import type { ContentLister } from "./content-lister.ts";

/** What counts of one path. Times do not: equal files have equal digests whenever they were made. */
export interface ContentStat extends HeaderStat {
  /** Of a regular file: its header, with extended attributes, and bytes (`contentHeader`), where that is known already. */
  readonly digest?: Digest;
}

/**
 * A tree of files as far as its digest needs it. Paths are absolute inside the view (`/a/b`, `/` is its root) and are not
 * resolved by it. Nobody writes below a view while it is used.
 */
export interface ContentView {
  lstat(path: string): ContentStat | undefined;
  readdir(path: string): readonly string[];
  readlink(path: string): string;
  /** All that a copy of the path has too. */
  xattrs(path: string): Xattrs;
  /** Where the file's bytes can be opened. */
  hostPath(path: string): string;
  /** Its files' digests are known, and it can still be looked at when the digest has been made. */
  readonly lasting?: boolean;
  /** All that is below its root, in path order, where that is at hand. */
  readonly entries?: () => Iterable<ContentEntry>;
  /** Owner and mode of its root do not count: it is a directory of the asking side. */
  readonly bareRoot?: boolean;
}

/** A tree as a list in path order, whose files have digests. */
export interface ContentEntry {
  /** Relative; the root is not in the list. */
  readonly path: string;
  readonly stat: ContentStat;
  readonly linkname?: string | undefined;
  readonly xattrs?: Xattrs | undefined;
}

/** Some files of a view. */
export interface ContentSelector {
  /** Absolute and resolved inside the view; where it does not exist it counts as missing, which is a content of its own. */
  readonly path: string;
}

/** Those of the paths, and of what lies below them, that pass a filter; each counts with its last name. */
export interface FilteredSelector {
  /** What was asked for, before wildcards and links were resolved. */
  readonly pattern: string;
  /** Absolute, resolved but for a last link, in path order. */
  readonly matches: readonly string[];
  /** Where a link that is matched leads to; undefined leaves links as they are. */
  readonly follow?: (path: string) => string;
  /**
   * Of what lies below a match, by path relative to it; "" is the match itself. "inside" means that the directory itself is
   * not wanted but something below it may be: it counts only if something does. Absent: everything.
   */
  readonly includes?: (relative: string, directory: boolean) => "yes" | "no" | "inside";
}

/** Which files of a view are meant. */
export interface ContentSelection {
  readonly selectors: readonly (ContentSelector | FilteredSelector)[];
  /** Is told what the digest is made of. */
  readonly lister?: ContentLister;
}
