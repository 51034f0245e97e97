// Checks of variables: those that nothing defines, and names that look like secrets.
import type { LineRange } from "../ast.ts";
import type { Linter } from "../lint/linter.ts";
import { secretsUsedInArgOrEnv } from "../lint/secrets-used-in-arg-or-env.ts";
import { undefinedVar } from "../lint/undefined-var.ts";
import type { Stage } from "./stage.ts";

/** Arguments that steer the build and are never variables of a step. */
export const steeringArgs: ReadonlySet<string> = new Set([
  "BUILDKIT_SBOM_SCAN_CONTEXT",
  "BUILDKIT_SBOM_SCAN_STAGE",
]);

/** Warns of names that were looked up in vain, unless an ARG without a value declares them. */
export function warnOfUndefined(
  unmatched: ReadonlySet<string>,
  { files: { variables }, args }: Stage,
  lines: LineRange,
  linter: Linter,
): void {
  if (unmatched.size === 0) return;
  const declared = new Set(args.toArray().map(({ name }) => name));
  for (const name of unmatched) {
    if (steeringArgs.has(name) || declared.has(name)) continue;
    const near = nearestName(name, [...variables.keys()]);
    linter.warn(undefinedVar, lines, name, near ?? "");
  }
}

/** Warns of a variable whose name says that its value should not be in an image. */
export function warnOfSecret(
  instruction: "ARG" | "ENV",
  name: string,
  lines: LineRange,
  linter: Linter,
): void {
  if (secretWords.test(name) && !harmlessWords.test(name))
    linter.warn(secretsUsedInArgOrEnv, lines, instruction, name);
}

const secretWords =
  /(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)/i;
const harmlessWords = /(?:_|^)(?:public|file|version)(?:_|$)/i;

const MAX_DISTANCE = 2;

/** The name that differs by two letters at most; none where one is equal. BuildKit: util/suggest/error.go Search. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let least = MAX_DISTANCE + 1;
  for (const one of known) {
    if (one === name) return undefined;
    const distance = editDistance(name, one, least);
    if (distance < least) {
      least = distance;
      nearest = one;
    }
  }
  return nearest;
}

/** Levenshtein's distance, or `limit` if it is not less. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    if (Math.min(...next) >= limit) return limit;
    row = next;
  }
  return row[b.length] ?? limit;
}
