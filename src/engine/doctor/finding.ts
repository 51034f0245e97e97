// What the doctor says: one finding for each thing that was looked at.

/** `missing`: builds fail, or most do, without it; `warning`: something is slower or cannot be done; `info`: as it is. */
export type FindingStatus = "ok" | "info" | "warning" | "missing";

/** Commands that put something right, as they are to be typed. */
export interface Fix {
  readonly commands: readonly string[];
  /** They need root. */
  readonly root: boolean;
  /** They add to the machine and break nothing: `--fix` may do them. */
  readonly harmless: boolean;
}

export interface Finding {
  /** Stable, such as `kernel` or `subuid`. */
  readonly id: string;
  readonly group: FindingGroup;
  readonly title: string;
  readonly status: FindingStatus;
  /** What there is, in a few words. */
  readonly found: string;
  /** What follows from it, where it is not as it should be. */
  readonly consequence?: string;
  readonly fix?: Fix;
  /** What to do where no command does it. */
  readonly advice?: string;
}

export const findingGroups = [
  "machine",
  "isolation",
  "emulation",
  "limits",
  "storage",
  "network",
  "tools",
] as const;
export type FindingGroup = (typeof findingGroups)[number];

/** Something needed is missing. */
export function isBroken(findings: readonly Finding[]): boolean {
  return findings.some(({ status }) => status === "missing");
}
