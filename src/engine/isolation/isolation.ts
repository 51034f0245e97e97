// The ways in which a build can be kept apart from the machine, best first, and which of them this process is in.
import { readFileSync } from "node:fs";
import { KilnError } from "../../base/index.ts";

/**
 * The ladder. `root`: private mounts of the real root. `userns`: a user namespace with overlay mounts; `userns-fuse`: with
 * fuse-overlayfs; `userns-copy`: with plain copies. `proot`: no namespace at all, paths are rewritten by proot.
 */
export const isolations = ["root", "userns", "userns-fuse", "userns-copy", "proot"] as const;
export type Isolation = (typeof isolations)[number];

/** `many`: files of a build keep their owners. `one`: everything belongs to the one user there is. */
export type Owners = "many" | "one";

/** What this process was started in by `enterIsolation`. */
export interface Entered {
  readonly isolation: Isolation;
  readonly owners: Owners;
  /** The user outside. */
  readonly uid: number;
}

/** Says to the process started inside what it is in: `ISOLATION:UID`. */
export const enteredVariable = "KILN_ENTERED";

/** Reads `--isolation` or KILN_ISOLATION; undefined where the choice is left to Kiln. Throws `FLAG_INVALID`. */
export function parseIsolation(text: string | undefined): Isolation | undefined {
  if (text === undefined || text === "" || text === "auto" || text === "default") return undefined;
  const found = isolations.find((one) => one === text);
  if (found !== undefined) return found;
  throw new KilnError("FLAG_INVALID", `there is no isolation ${JSON.stringify(text)}`, {
    hint: `Choose one of: auto, ${isolations.join(", ")}.`,
  });
}

/** What `variable`, the value of `enteredVariable`, and the id map of this process say; undefined outside. */
export function readEntered(variable: string | undefined): Entered | undefined {
  const [name = "", uid = ""] = (variable ?? "").split(":");
  const isolation = isolations.find((one) => one === name && one.startsWith("userns"));
  const map = readIdMap("/proc/self/uid_map");
  // A variable that leaked into another process says nothing about that one.
  if (isolation === undefined || !/^\d+$/.test(uid) || isInitial(map)) return undefined;
  return { isolation, owners: ownersOf(map), uid: Number(uid) };
}

/** One line of uid_map: `count` ids from `inside` on are those from `outside` on. */
export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

/** A file as the kernel writes /proc/PID/uid_map; empty where there is none. */
export function readIdMap(path: string): readonly IdRange[] {
  try {
    return parseIdMap(readFileSync(path, "latin1"));
  } catch {
    return [];
  }
}

export function parseIdMap(text: string): readonly IdRange[] {
  return text
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([inside, outside, count]) =>
      inside === undefined || outside === undefined || count === undefined
        ? []
        : [{ inside, outside, count }],
    );
}

/** True where every id is itself: outside of all user namespaces. */
export function isInitial(map: readonly IdRange[]): boolean {
  const [only] = map;
  return map.length === 1 && only?.inside === 0 && only.outside === 0 && only.count === 0xffffffff;
}

/** Images own files by ids up to 65534; fewer than a system's own are as good as one. */
export function ownersOf(map: readonly IdRange[]): Owners {
  return map.reduce((sum, { count }) => sum + count, 0) > 1000 ? "many" : "one";
}
