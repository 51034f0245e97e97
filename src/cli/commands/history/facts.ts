// What people want to know of a record: its name, how it ended, how long it took.
import { posix } from "node:path";
import type { Attrs, BuildRecord } from "../../../api/index.ts";
import type { BuildOrigin } from "../../../remote/store/index.ts";

/** Duration as buildx prints it, from milliseconds: `12.3s`, `2m  5s`. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)}s`;
  return `${Math.floor(seconds / 60)}m ${String(Math.floor(seconds) % 60).padStart(2)}s`;
}

/** Milliseconds up to its end, or up to now. */
export function elapsed({ createdAt, completedAt }: BuildRecord, now: Date): number {
  return (completedAt ?? now).getTime() - createdAt.getTime();
}

/** `Running`, `Completed`, `Canceled` or `Error`. */
export function statusWord({ completedAt, error }: BuildRecord): string {
  if (!completedAt) return "Running";
  if (!error) return "Completed";
  return error.code === 1 ? "Canceled" : "Error";
}

const defaultName = "Dockerfile";

/** What the build was of: the name it was given, else its context or Dockerfile, and the target; `origin` where it is known. */
export function buildName(attrs: Attrs, origin?: BuildOrigin): string {
  const given = attrs["build-arg:BUILDKIT_BUILD_NAME"];
  if (given) return given;
  const target = attrs["target"] ?? "";
  const what = contextName(attrs) || placeName(attrs, origin);
  if (what === "") return target || (attrs["vcs:source"] ?? "");
  return target === "" ? what : `${what} (${target})`;
}

function contextName(attrs: Attrs): string {
  const local = attrs["vcs:localdir:context"] ?? "";
  return attrs["context"] ?? (local === "." ? "" : local);
}

/** The directory of a Dockerfile with the usual name; directory and file of another one. Below the context, the way from it. */
function placeName(attrs: Attrs, origin: BuildOrigin | undefined): string {
  const isLocal = origin && !isRemote(origin.localPath);
  const context = isLocal && origin.localPath !== "-" ? origin.localPath : "";
  const noted = isLocal ? origin.dockerfilePath : "";
  const path = noted !== "" && noted !== "-" ? noted : dockerfilePath(attrs);
  const names = path.split("/").filter((part) => part !== "" && part !== ".");
  const isUsual = names.at(-1) === defaultName || names.length === 0;
  const directory = isUsual ? names.slice(0, -1) : names;
  const outer = context.split("/").filter((part) => part !== "");
  const isBelow =
    outer.length > 0 &&
    directory.length > outer.length &&
    outer.every((part, at) => part === directory[at]);
  if (isBelow) return directory.slice(outer.length - 1).join("/");
  if (directory.length === 0) return outer.at(-1) ?? "";
  return directory.slice(isUsual ? -1 : -2).join("/");
}

function dockerfilePath(attrs: Attrs): string {
  const directory = attrs["vcs:localdir:dockerfile"] ?? "";
  return `${directory}/${attrs["filename"] ?? defaultName}`;
}

/** Contexts that builders fetch themselves. */
export function isRemote(path: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\/|^git@/.test(path);
}

/** Context and Dockerfile as whoever stands in `cwd` would write them; undefined where nothing tells. */
export function buildPlaces(
  attrs: Attrs,
  origin: BuildOrigin | undefined,
  cwd: string,
): { readonly context: string | undefined; readonly dockerfile: string } {
  const { localPath = "", dockerfilePath: noted = "" } = origin ?? {};
  const isDirectory = localPath !== "" && localPath !== "-" && !isRemote(localPath);
  const context =
    (isDirectory ? inside(cwd, localPath) : localPath) ||
    attrs["context"] ||
    attrs["vcs:localdir:context"];
  if (noted !== "")
    return { context, dockerfile: isDirectory && noted !== "-" ? inside(localPath, noted) : noted };
  const directory = attrs["vcs:localdir:dockerfile"];
  const file = attrs["filename"] ?? defaultName;
  return { context, dockerfile: directory ? posix.join(directory, file) : file };
}

/** The way from a directory to what lies in it; other paths as they are. */
function inside(directory: string, path: string): string {
  const way = posix.relative(directory, path);
  return way === ".." || way.startsWith("../") ? path : way || ".";
}
