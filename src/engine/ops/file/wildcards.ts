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
  const parts = pattern.split("/").filter((part) => part !== "" && part !== ".");
  const first = parts.findIndex((part) => magic.test(part));
  if (first === -1) return [pattern];
  let found = [`/${parts.slice(0, first).join("/")}`];
  for (const [index, part] of parts.slice(first).entries()) {
    const last = first + index === parts.length - 1;
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
  if (found.length > 0 || !magic.test(pattern)) return found;
  const start = pattern.slice(0, pattern.search(magic)).replace(/[^/]*$/, "");
  if (!view.lstat(resolveInView(view, `/${start}`, followLinks)))
    throw missingSource(view, pattern);
  return found;
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
