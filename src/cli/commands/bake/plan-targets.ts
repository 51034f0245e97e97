// From targets to builds: each is planned as `kiln build` would, and the mistakes of all are told at once.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AsyncStack, isKilnError, KilnError } from "../../../base/index.ts";
import type { ResolvedBake, ResolvedTarget } from "../../../formats/bake/index.ts";
import { createChecker } from "../build/mistakes.ts";
import { type BuildPlan, type PlanOptions, planBuild } from "../build/plan.ts";
import type { StdinSource } from "../build/stdin.ts";
import { LocalNames } from "./local-names.ts";
import { targetFlags } from "./target-flags.ts";

/** A target with what its build needs. */
export interface PlannedTarget {
  readonly target: ResolvedTarget;
  /** It lends the directories of all targets of the bake. */
  readonly plan: BuildPlan;
  /** Those of the user that this target itself reads. */
  readonly own: BuildPlan["directories"];
}

/** Plans all of them. What is written on the way goes with `owned`. Throws the mistakes of all targets. */
export function planTargets(
  { targets }: ResolvedBake,
  options: Omit<PlanOptions, "stdin">,
  owned: AsyncStack,
): ReadonlyMap<string, PlannedTarget> {
  const check = createChecker();
  const names = new LocalNames();
  const planned: PlannedTarget[] = [];
  for (const target of targets.values()) {
    const found = check.run(() => inTarget(target.name, () => planTarget(target, options, owned)));
    if (found) planned.push({ target, own: found.own, plan: names.renamed(found.plan) });
  }
  check.done();
  const { directories } = names;
  return new Map(
    planned.map(({ target, plan, own }) => [
      target.name,
      { target, own, plan: { ...plan, directories } },
    ]),
  );
}

function planTarget(
  { fields }: ResolvedTarget,
  options: Omit<PlanOptions, "stdin">,
  owned: AsyncStack,
): Pick<PlannedTarget, "plan" | "own"> {
  const inline = fields["dockerfile-inline"];
  const stdin = inline === undefined ? undefined : writeDockerfile(inline, owned);
  const { flags, context } = targetFlags(fields, stdin ? "-" : undefined);
  const plan = planBuild(flags, context, { ...options, stdin, linked: true });
  const made = stdin?.directory ?? "";
  const own = [...plan.directories].filter(([, path]) => made === "" || !path.startsWith(made));
  return { plan, own: new Map(own) };
}

/** Builds read Dockerfiles from directories. */
function writeDockerfile(
  text: string,
  owned: AsyncStack,
): StdinSource & { readonly kind: "dockerfile" } {
  const directory = mkdtempSync(join(tmpdir(), "kiln-bake-"));
  owned.defer(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, "Dockerfile"), text);
  mkdirSync(join(directory, "context"));
  return { kind: "dockerfile", directory };
}

/** Mistakes say which target has them. */
export function inTarget<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw ofTarget(name, error);
  }
}

/** The error under the name of its target; `several` are built, so that it matters whose it is. */
export function ofTarget(name: string, error: unknown, several = false): unknown {
  if (!isKilnError(error)) return error;
  const named = (one: KilnError): KilnError =>
    new KilnError(one.code, `target ${name}: ${one.message}`, {
      cause: one.cause,
      details: { ...one.details, ...(several ? { target: name } : {}) },
      others: one.others.map(named),
      ...(one.hint === undefined ? {} : { hint: one.hint }),
      ...(one.at === undefined ? {} : { at: one.at }),
    });
  return named(error);
}
