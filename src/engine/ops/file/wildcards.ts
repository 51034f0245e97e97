// Wildcards in COPY sources: which paths of a view a pattern means, in the order they are copied.
import { matchGlob } from "../../../formats/patterns/index.ts";
import { type FileView, missingSource, resolveInView } from "./view.ts";

const magic = /[*?[\\]/;

/**
 * Paths that `pattern` means. Go's filepath.Match for each component; `*` does not cross slashes. With `followLinks`,
 * directories on the way may be links. A pattern without wildcards is answered as it is, whether it exists or not.
 */
export function expandWildcards(
  view: FileView,
  pattern: string,
  followLinks: boolean,
): readonly string[] {
  const split = splitPattern(pattern);
  if (!split) return [pattern];
  let found = [split.start];
  for (const [index, part] of split.parts.entries()) {
    const last = index === split.parts.length - 1;
    found = found.flatMap((path) => expandOne(view, path, part, last || followLinks));
  }
  return found;
}

/**
 * The same for an action that is about to be done: what stands before the first wildcard has to be there, also where the
 * rest may mean nothing. Throws `COPY_NOT_FOUND`.
 */
export function expandPresent(
  view: FileView,
  pattern: string,
  followLinks: boolean,
): readonly string[] {
  const found = expandWildcards(view, pattern, followLinks);
  const split = found.length > 0 ? undefined : splitPattern(pattern);
  if (split && !view.lstat(resolveInView(view, split.start, followLinks)))
    throw missingSource(view, pattern);
  return found;
}

/** The directory before the first part with a wildcard, and the parts from there on; undefined where none has one. */
function splitPattern(
  pattern: string,
): { readonly start: string; readonly parts: readonly string[] } | undefined {
  const parts = pattern.split("/").filter((part) => part !== "" && part !== ".");
  const first = parts.findIndex((part) => magic.test(part));
  if (first === -1) return undefined;
  return { start: `/${parts.slice(0, first).join("/")}`, parts: parts.slice(first) };
}

function expandOne(view: FileView, directory: string, part: string, followed: boolean): string[] {
  const resolved = resolveInView(view, directory, followed);
  if (view.lstat(resolved)?.type !== "directory") return [];
  const below = directory === "/" ? "/" : `${directory}/`;
  return view
    .readdir(resolved)
    .filter((name) => matchGlob(part, name))
    .map((name) => below + name);
}
