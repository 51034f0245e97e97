// Answers of `--call` about the targets of a bake, as docker buildx prints them.
import { goJson } from "../../../base/index.ts";
import { bakeJson, type ResolvedBake } from "../../../formats/bake/index.ts";
import { callAnswer } from "../build/call.ts";
import type { FinishedBuild } from "../build/result.ts";
import type { RunWorld } from "../command.ts";

/** Prints what was answered for each target, one after another; 1 where a check found something. */
export function sayAnswers(
  finished: ReadonlyMap<string, FinishedBuild>,
  resolved: ResolvedBake,
  world: RunWorld,
): number {
  let exitCode = 0;
  const texts: string[] = [];
  const documents: Record<string, unknown> = {};
  for (const [name, { plan, result }] of finished) {
    if (!plan.call) continue;
    const answer = callAnswer(plan.call, result.exporterResponse);
    exitCode = Math.max(exitCode, answer.exitCode);
    world.stderr.write(answer.failure);
    const { description } = resolved.targets.get(name)?.fields ?? {};
    if (plan.call.format === "json")
      documents[name] = { [keyOf(plan.call.name)]: JSON.parse(answer.text) };
    else texts.push(`${name}\n${description ? `${description}\n` : ""}\n${answer.text}`);
  }
  world.stdout.write(texts.join("\n"));
  if (Object.keys(documents).length > 0)
    world.stdout.write(`${goJson(withDefinitions(documents, resolved), 2)}\n`);
  return exitCode;
}

/** Checks are asked for by another name than that of their question. */
function keyOf(question: string): string {
  return question === "lint" ? "check" : question;
}

/** Each answer with what was asked about, in the groups of the bake. */
function withDefinitions(
  answers: Readonly<Record<string, unknown>>,
  resolved: ResolvedBake,
): Readonly<Record<string, unknown>> {
  const { group, target } = JSON.parse(bakeJson(resolved)) as {
    readonly group: unknown;
    readonly target: Readonly<Record<string, unknown>>;
  };
  const told = Object.entries(answers).map(([name, answer]) => [
    name,
    { build: target[name], ...(answer as object) },
  ]);
  return { group, target: Object.fromEntries(told) };
}
