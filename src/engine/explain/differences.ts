// How a step differs from what is remembered of it: its definition, its inputs, the files it reads.
import type { FileChange, FileFacts, MissReason } from "../../api/index.ts";
import type { ContentListing } from "../solver/index.ts";
import { isHidden, type StepFields } from "./step-fields.ts";

/** Changes of files that are told one by one. */
const mostChanges = 1000;

/** One reason for each field that is not as it was. */
export function changedFields(old: StepFields, now: StepFields): MissReason[] {
  const names = [...new Set([...Object.keys(now), ...Object.keys(old)])];
  return names
    .filter((field) => old[field] !== now[field])
    .map((field) => ({
      kind: "definition",
      field,
      ...shown("old", old[field]),
      ...shown("new", now[field]),
    }));
}

function shown(side: "old" | "new", value: string | undefined): { old?: string; new?: string } {
  return value === undefined || isHidden(value) ? {} : { [side]: value };
}

/** The files of one input, before and now; either may be unknown. */
export function changedFiles(
  from: string,
  old: ContentListing | undefined,
  now: ContentListing | undefined,
): MissReason {
  if (!old || !now) return { kind: "files", from };
  const paths = changedPaths(old, now).sort();
  const changes = paths.slice(0, mostChanges).map((path): FileChange => {
    const [before, after] = [old.paths.get(path), now.paths.get(path)];
    return {
      path: path.replace(/^\/(?=.)/, ""),
      ...(before === undefined ? {} : { old: parseFacts(before) }),
      ...(after === undefined ? {} : { new: parseFacts(after) }),
    };
  });
  const more = paths.length - changes.length;
  const isCut = old.isCut || now.isCut;
  return {
    kind: "files",
    from,
    changes,
    ...(more > 0 ? { more } : {}),
    ...(isCut ? { compared: Math.min(old.paths.size, now.paths.size) } : {}),
  };
}

/** Paths that only one of the two has count only as far as the other one goes. */
function changedPaths(old: ContentListing, now: ContentListing): string[] {
  const found: string[] = [];
  const [oldEnd, nowEnd] = [endOf(old), endOf(now)];
  for (const [path, facts] of now.paths) {
    const before = old.paths.get(path);
    if (before !== facts && (before !== undefined || orderOf(path) <= oldEnd)) found.push(path);
  }
  for (const path of old.paths.keys())
    if (!now.paths.has(path) && orderOf(path) <= nowEnd) found.push(path);
  return found;
}

/** Up to where a listing goes, in its order. */
function endOf({ paths, isCut }: ContentListing): string {
  if (!isCut) return "\uffff";
  let last = "";
  for (const path of paths.keys()) last = path;
  return orderOf(last);
}

/** A path so that texts compare as listings are ordered: a directory before what is in it, and that before the next name. */
function orderOf(path: string): string {
  return path.replaceAll("/", "\0");
}

/** `file 644 0:0 1a2b3c4d5e6f`. */
function parseFacts(text: string): FileFacts {
  const [type = "", mode = "-", owner = "", ...rest] = text.split(" ");
  const [uid, gid] = owner.split(":").map(Number);
  const content = rest.join(" ");
  return {
    type,
    ...(mode === "-" ? {} : { mode }),
    uid: uid ?? 0,
    gid: gid ?? 0,
    ...(content === "" ? {} : { content }),
  };
}

const imageScheme = "docker-image://";

/** Another digest of the same image, another image, or another source of any kind. */
export function changedSource(old: string, now: string): MissReason {
  if (old.startsWith(imageScheme) && now.startsWith(imageScheme)) {
    const name = (identifier: string) => identifier.slice(imageScheme.length);
    return { kind: "image", old: name(old), new: name(now) };
  }
  return { kind: "source", old, new: now };
}
