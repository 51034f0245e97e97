// Resource limits of a step, fitted to what this process may give.
import { closest, KilnError } from "../../base/index.ts";

/** One entry of `process.rlimits` in the OCI runtime specification. */
export interface Rlimit {
  readonly type: string;
  readonly soft: number;
  readonly hard: number;
}

/** Docker's names of limits, which are those of setrlimit(2) in lower case, and their lines in /proc/PID/limits. */
const names: Readonly<Record<string, string>> = {
  as: "Max address space",
  core: "Max core file size",
  cpu: "Max cpu time",
  data: "Max data size",
  fsize: "Max file size",
  locks: "Max file locks",
  memlock: "Max locked memory",
  msgqueue: "Max msgqueue size",
  nice: "Max nice priority",
  nofile: "Max open files",
  nproc: "Max processes",
  rss: "Max resident set",
  rtprio: "Max realtime priority",
  rttime: "Max realtime timeout",
  sigpending: "Max pending signals",
  stack: "Max stack size",
};

/** Throws `DEFINITION_INVALID` for a name that is no limit. */
export function checkUlimits(wanted: readonly { readonly name: string }[]): void {
  for (const { name } of wanted) {
    if (Object.hasOwn(names, name)) continue;
    const near = closest(name, Object.keys(names));
    throw new KilnError("DEFINITION_INVALID", `there is no ulimit called ${JSON.stringify(name)}`, {
      hint:
        near === undefined
          ? `Choose one of: ${Object.keys(names).join(", ")}.`
          : `Did you mean "${near}"?`,
    });
  }
}

/** The hard limits of a process by Docker's names, from the text of /proc/PID/limits; -1 is unlimited. */
export function parseLimits(text: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [name, title] of Object.entries(names)) {
    const line = text.split("\n").find((one) => one.startsWith(title));
    const hard = line?.slice(title.length).trim().split(/\s+/)[1];
    if (hard !== undefined) found.set(name, hard === "unlimited" ? -1 : Number(hard));
  }
  return found;
}

export interface FittedLimits {
  readonly rlimits: readonly Rlimit[];
  /** One sentence for each limit that had to be lowered. */
  readonly lowered: readonly string[];
}

/**
 * Limits that can be set: hard limits above `ceilings` need CAP_SYS_RESOURCE, and become the ceiling without it.
 * Unknown names must have been refused before.
 */
export function fitUlimits(
  wanted: readonly { readonly name: string; readonly soft: number; readonly hard: number }[],
  ceilings: ReadonlyMap<string, number>,
  mayRaise: boolean,
): FittedLimits {
  const lowered: string[] = [];
  const rlimits = wanted.map(({ name, soft, hard }) => {
    const ceiling = ceilings.get(name) ?? -1;
    const type = `RLIMIT_${name.toUpperCase()}`;
    if (mayRaise || !above(hard, ceiling)) return { type, soft, hard };
    lowered.push(
      `ulimit ${name}: the limit ${hard === -1 ? "unlimited" : hard} is above ${ceiling}, the highest that this process may set (no CAP_SYS_RESOURCE); using ${ceiling}`,
    );
    return { type, soft: above(soft, ceiling) ? ceiling : soft, hard: ceiling };
  });
  return { rlimits, lowered };
}

function above(limit: number, ceiling: number): boolean {
  if (ceiling === -1) return false;
  return limit === -1 || limit > ceiling;
}
