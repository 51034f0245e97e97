// The ids that an administrator has lent to a user for namespaces: subuid(5) and subgid(5).
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";

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
  let sum = 0;
  for (const line of text.split("\n")) {
    const [who, start, count] = line.trim().split(":");
    if (who !== String(owner.uid) && (owner.name === undefined || who !== owner.name)) continue;
    if (/^\d+$/.test(start ?? "") && /^\d+$/.test(count ?? "")) sum += Number(count);
  }
  return sum;
}

/** The smaller of what the two files grant. */
export function grantedIds(owner: RangeOwner, directory = "/etc"): number {
  const counts = ["subuid", "subgid"].map((name) => {
    try {
      return countIds(readFileSync(`${directory}/${name}`, "utf8"), owner);
    } catch {
      return 0;
    }
  });
  return Math.min(...counts);
}
