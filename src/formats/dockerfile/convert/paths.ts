// Paths as instructions write them, made absolute and clean. Windows paths lose drive and backslashes.
import { posix } from "node:path";
import { dockerfileError } from "./problem.ts";

/** The paths as one, clean: no "." or "..", no doubled or final slash; "" of nothing. Go's path.Join. */
export function joinPaths(...parts: readonly string[]): string {
  let joined = "";
  for (const part of parts) {
    if (part !== "") joined += joined === "" || joined.endsWith("/") ? part : `/${part}`;
  }
  return joined === "" ? "" : cleanPath(joined);
}

/** The shortest path that means the same. Go's path.Clean. */
export function cleanPath(path: string): string {
  if (path === "/" || clean.test(path)) return path;
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith("/") ? normal.slice(0, -1) : normal;
}

/** Absolute, without doubled or final slashes and without names that begin with a dot: most paths. */
const clean = /^(?:\/[^/.][^/]*)+$/;
const cleanDirectory = /^(?:\/[^/.][^/]*)+\/$/;

/** The path with forward slashes, which windows alone writes otherwise. */
export function toSlash(path: string, os: string): string {
  return os === "windows" ? path.replaceAll("\\", "/") : path;
}

/** Absolute in the eyes of the platform. */
export function isAbsolute(path: string, os: string): boolean {
  return withoutDrive(toSlash(path, os), os).startsWith("/");
}

/**
 * Joins `path` to `parent`, unless it is absolute, and cleans it. With `keepSlash`, a final `/` or `/.` stays, since it
 * says that a directory is meant. BuildKit: util/system/path.go NormalizePath.
 */
export function normalizePath(parent: string, path: string, os: string, keepSlash = false): string {
  const written = withoutDrive(toSlash(path, os), os);
  if (keepSlash && cleanDirectory.test(written)) return written;
  const base = withoutDrive(toSlash(parent, os), os) || "/";
  const clean = written.startsWith("/") ? cleanPath(written) : joinPaths("/", base, written);
  if (!keepSlash) return clean;
  if (written.endsWith("/") && !clean.endsWith("/")) return `${clean}/`;
  if (written.endsWith("/.")) return clean === "/" ? "/." : `${clean}/.`;
  return clean;
}

/** Where a COPY puts things: relative paths begin in the working directory, and "." is a directory. */
export function destinationPath(workingDir: string, path: string, os: string): string {
  const written = withoutDrive(toSlash(path, os), os);
  const meant = written === "." || written === "" ? "./" : written;
  return normalizePath(workingDir, meant, os, true);
}

/**
 * A working directory in the form that the image's configuration has: backslashes on windows. BuildKit: elsewhere an
 * absolute one stays as it is written, `/srv/` and `/a/../b` too.
 */
export function workingDirectory(current: string, path: string, os: string): string {
  if (os !== "windows" && path.startsWith("/")) return path;
  const clean = normalizePath(current, path, os);
  return os === "windows" ? clean.replaceAll("/", "\\") : clean;
}

function withoutDrive(path: string, os: string): string {
  if (os !== "windows" || path[1] !== ":") return path;
  if (path[0]?.toLowerCase() !== "c") {
    throw dockerfileError(`the path ${JSON.stringify(path)} is not on the system drive C:`);
  }
  return path.slice(2);
}
