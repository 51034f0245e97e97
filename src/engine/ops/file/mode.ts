// chmod's words (`u=rwX,go=rX`) as a function of a file's present mode (POSIX chmod, "symbolic_mode").
import { KilnError } from "../../../base/index.ts";

/** The new permission bits of a file or directory that has `mode` now. */
export type ModeChange = (mode: number, isDirectory: boolean) => number;

interface Clause {
  readonly who: string;
  readonly actions: readonly { readonly operator: string; readonly permissions: string }[];
}

const clausePattern = /^([ugoa]*)((?:[-+=][rwxXstugo]*)+)$/;
const actionPattern = /([-+=])([rwxXstugo]*)/g;
const shifts: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };

/** The bits that octal words say; undefined for other words. */
export function parseOctalMode(words: string): number | undefined {
  return /^[0-7]{1,5}$/.test(words) ? Number.parseInt(words, 8) & 0o7777 : undefined;
}

/** Reads octal (`0755`) or symbolic (`u=rwX,go=rX`) modes. Throws `DEFINITION_INVALID` on anything else. */
export function parseModeChange(words: string): ModeChange {
  const fixed = parseOctalMode(words);
  if (fixed !== undefined) return () => fixed;
  const clauses = words.split(",").map(parseClause);
  if (clauses.some((clause) => clause === undefined)) {
    throw new KilnError("DEFINITION_INVALID", `invalid file mode ${JSON.stringify(words)}`, {
      hint: "Use octal, such as 0644, or symbolic, such as u=rwX,go=rX.",
    });
  }
  return (mode, isDirectory) =>
    clauses.reduce((now, clause) => (clause ? applyClause(now, clause, isDirectory) : now), mode);
}

function parseClause(text: string): Clause | undefined {
  const match = clausePattern.exec(text);
  if (!match) return undefined;
  const who = match[1] === "" || match[1]?.includes("a") ? "ugo" : (match[1] ?? "");
  const actions = [...(match[2] ?? "").matchAll(actionPattern)].map((action) => ({
    operator: action[1] ?? "",
    permissions: action[2] ?? "",
  }));
  return { who, actions };
}

function applyClause(mode: number, clause: Clause, isDirectory: boolean): number {
  let now = mode;
  for (const { operator, permissions } of clause.actions) {
    const bits = bitsOf(permissions, clause.who, now, isDirectory);
    if (operator === "+") now |= bits;
    else if (operator === "-") now &= ~bits;
    else now = (now & ~maskOf(clause.who, permissions)) | bits;
  }
  return now & 0o7777;
}

function bitsOf(permissions: string, who: string, mode: number, isDirectory: boolean): number {
  let bits = 0;
  for (const permission of permissions) {
    for (const class_ of who) bits |= oneBit(permission, class_, mode, isDirectory);
    // BuildKit: others alone have no part in the sticky bit.
    if (permission === "t" && /[ug]/.test(who)) bits |= 0o1000;
  }
  return bits;
}

function oneBit(permission: string, class_: string, mode: number, isDirectory: boolean): number {
  const shift = shifts[class_] ?? 0;
  switch (permission) {
    case "r":
      return 4 << shift;
    case "w":
      return 2 << shift;
    case "x":
      return 1 << shift;
    case "X":
      return isDirectory || (mode & 0o111) !== 0 ? 1 << shift : 0;
    case "s":
      return class_ === "u" ? 0o4000 : class_ === "g" ? 0o2000 : 0;
    case "u":
    case "g":
    case "o":
      return ((mode >> (shifts[permission] ?? 0)) & 7) << shift;
    default:
      return 0;
  }
}

/** What `=` clears: setuid and setgid too, of directories as well, but where permissions are another class's. */
function maskOf(who: string, permissions: string): number {
  const isCopy = /[ugo]/.test(permissions);
  let mask = 0;
  for (const class_ of who) {
    mask |= 7 << (shifts[class_] ?? 0);
    if (!isCopy && class_ === "u") mask |= 0o4000;
    if (!isCopy && class_ === "g") mask |= 0o2000;
  }
  return mask;
}
