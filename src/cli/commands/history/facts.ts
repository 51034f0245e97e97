// What people want to know of a record: its name, how it ended, how long it took.
import type { Attrs, BuildRecord } from "../../../api/index.ts";

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

/** What the build was of: the name it was given, else its context or Dockerfile, and the target. */
export function buildName(attrs: Attrs): string {
  const given = attrs["build-arg:BUILDKIT_BUILD_NAME"];
  if (given) return given;
  const target = attrs["target"] ?? "";
  const what = contextName(attrs) || dockerfileName(attrs);
  if (what === "") return target || (attrs["vcs:source"] ?? "");
  return target === "" ? what : `${what} (${target})`;
}

function contextName(attrs: Attrs): string {
  const local = attrs["vcs:localdir:context"] ?? "";
  return attrs["context"] ?? (local === "." ? "" : local);
}

/** The directory of a Dockerfile with the usual name; directory and file of another one. */
function dockerfileName(attrs: Attrs): string {
  const directory = attrs["vcs:localdir:dockerfile"] ?? "";
  const file = attrs["filename"] ?? defaultName;
  const parts = [...(directory === "." ? [] : directory.split("/")), ...file.split("/")];
  const names = parts.filter((part) => part !== "");
  if (names.at(-1) === defaultName) return names.at(-2) ?? "";
  return names.slice(-2).join("/");
}
