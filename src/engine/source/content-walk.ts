// Walking over a view: what every step of a walk needs, and what single paths are worth.
import { type Call, digestOf } from "../../base/index.ts";
import { contentHeader } from "./content-header.ts";
import type { ContentLister } from "./content-lister.ts";
import type { ContentStat, ContentView } from "./content-view.ts";
import { hashFile } from "./hash-file.ts";

/** How often a long walk lets others run and looks at the call, in milliseconds. */
const sliceMs = 30;

export interface Walk {
  readonly view: ContentView;
  readonly lister: ContentLister | undefined;
  readonly call: Call;
  sliceEnd: number;
}

export function startWalk(view: ContentView, lister: ContentLister | undefined, call: Call): Walk {
  return { view, lister, call, sliceEnd: performance.now() + sliceMs };
}

/** Lets others run now and then. */
export async function breathe(walk: Walk): Promise<void> {
  if (performance.now() <= walk.sliceEnd) return;
  await new Promise((resolve) => setImmediate(resolve));
  walk.call.signal.throwIfAborted();
  walk.sliceEnd = performance.now() + sliceMs;
}

export function below(directory: string, name: string): string {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}

/** Of anything but a directory. */
export async function entryDigest(walk: Walk, path: string, stat: ContentStat): Promise<string> {
  const { view, lister, call } = walk;
  if (stat.type !== "file") return headerDigest(walk, path, stat);
  const header = (size: number) => contentHeader({ ...stat, size }, "", view.xattrs(path));
  const digest = stat.digest ?? (await hashFile(view.hostPath(path), header, call)).digest;
  lister?.add(path, stat, digest);
  return digest;
}

/** Of a directory without what is in it, of a link or of a device. */
export function headerDigest({ view, lister }: Walk, path: string, stat: ContentStat): string {
  const target = stat.type === "symlink" ? view.readlink(path) : "";
  if (path === "/" && view.bareRoot) {
    lister?.add(path, stat, target);
    return digestOf("");
  }
  const xattrs = view.xattrs(path);
  lister?.add(path, stat, target, xattrs);
  return digestOf(contentHeader(stat, target, xattrs));
}
