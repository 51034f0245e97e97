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
  const counts = ["subuid", "subgid"].map((name) => {
    try {
      return countIds(readFileSync(`${directory}/${name}`, "utf8"), owner);
    } catch {
      return 0;
    }
  });
  return Math.min(...counts);
}
