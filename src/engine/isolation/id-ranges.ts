// The ids that an administrator has lent to a user for namespaces: subuid(5) and subgid(5).
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";

/** Whose ranges: the id, and the name where the user has one. */
export interface RangeOwner {
  readonly uid: number;
  readonly name: string | undefined;
}

export function rangeOwner(): RangeOwner {
  const uid = process.geteuid?.() ?? 0;
  try {
    return { uid, name: userInfo().username };
  } catch {
    // A uid that is in no passwd file, as containers give them.
    return { uid, name: undefined };
  }
}

/** How many ids the file grants to the user. */
export function countIds(text: string, owner: RangeOwner): number {
  return rangesOf(text, owner).reduce((sum, { count }) => sum + count, 0);
}

/** The ids that the file grants to the user, in its order. */
export function rangesOf(
  text: string,
  owner: RangeOwner,
): readonly { readonly start: number; readonly count: number }[] {
  return text.split("\n").flatMap((line) => {
    const [who, start, count] = line.trim().split(":");
    if (who !== String(owner.uid) && (owner.name === undefined || who !== owner.name)) return [];
    if (!/^\d+$/.test(start ?? "") || !/^\d+$/.test(count ?? "")) return [];
    return [{ start: Number(start), count: Number(count) }];
  });
}

/** The smaller of what the two files grant. */
export function grantedIds(owner: RangeOwner, directory = "/etc"): number {
  const counts = ["subuid", "subgid"].map((name) =>
    countIds(readOrEmpty(join(directory, name)), owner),
  );
  return Math.min(...counts);
}

/** Ids for a namespace: as many as useradd lends. */
const usualCount = 65536;
const usualStart = 100_000;

/** The first range above all that is lent: users who share ids could change each other's files. */
export function freeRange(texts: readonly string[]): string {
  const ends = texts
    .flatMap((text) => text.split("\n"))
    .map((line) => line.trim().split(":"))
    .map(([, start, count]) => Number(start) + Number(count))
    .filter(Number.isSafeInteger);
  const start = Math.max(usualStart, ...ends);
  return `${start}-${start + usualCount - 1}`;
}

/** What root runs to lend ids to a user that has none. */
export function lendingCommand(who: string, directory = "/etc"): string {
  const range = freeRange(["subuid", "subgid"].map((name) => readOrEmpty(join(directory, name))));
  return `usermod --add-subuids ${range} --add-subgids ${range} ${who}`;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
