// Looks up all that stages stand on and read from, at once; again, when triggers of a base need more.
import { type BaseScope, baseReference, findBase } from "./bases.ts";
import { addTriggers } from "./onbuild.ts";
import { type PlannedStage, reachableStages, type StagePlan } from "./plan.ts";
import { type ErrorFile, placed } from "./problem.ts";

export async function findBases(
  plan: StagePlan,
  target: PlannedStage,
  scope: BaseScope,
  errorFile: ErrorFile,
): Promise<void> {
  const asked = new Set<PlannedStage>();
  for (let more = true; more; ) {
    const reachable = reachableStages(target);
    const wanted = plan.stages.filter((stage) => stage.base === undefined && !asked.has(stage));
    await Promise.all(
      wanted.map(async (stage) => {
        try {
          if (!reachable.has(stage) && !scope.options.allStages) return passOver(stage);
          asked.add(stage);
          stage.start = await findBase(stage, scope);
          endAsFound(stage, scope.epoch);
        } catch (error) {
          throw placed(error, stage.lines, errorFile);
        }
      }),
    );
    more = [...reachableStages(target)]
      .filter((stage) => stage.from !== undefined && stage.namedContext === undefined)
      .map((stage) => addPlaced(stage, plan, errorFile))
      .includes(true);
  }
}

/** Images that are only read from, and contexts in the place of stages, have no instructions to convert. */
function endAsFound(stage: PlannedStage, epoch: Date | undefined): void {
  if (stage.start === undefined || (stage.from !== undefined && stage.namedContext === undefined))
    return;
  stage.end = { ...stage.start, args: [], workdirSet: false, last: {}, epoch };
}

/** Names must be right in stages that nobody needs, too. */
function passOver(stage: PlannedStage): void {
  if (stage.baseName === "scratch" && stage.namedContext === undefined) return;
  baseReference(stage.baseName);
  if (stage.steps > 0) stage.passedOver++;
}

function addPlaced(stage: PlannedStage, plan: StagePlan, errorFile: ErrorFile): boolean {
  try {
    return addTriggers(stage, plan);
  } catch (error) {
    throw placed(error, stage.lines, errorFile);
  }
}
