// Looks up all that stages stand on and read from, at once; again, when triggers of a base need more.
import { closest, type ErrorCode, isKilnError, KilnError } from "../../../base/index.ts";
import { type BaseScope, findBase } from "./bases.ts";
import { addTriggers } from "./onbuild.ts";
import { type PlannedStage, reachableStages, type StagePlan } from "./plan.ts";
import { type ErrorFile, placed } from "./problem.ts";
import { Stage } from "./stage.ts";

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
    // All are waited for: then the first mistake of the file is told, not the fastest answer's.
    const lookups = await Promise.allSettled(
      wanted.map(async (stage) => {
        try {
          if (!reachable.has(stage) && !scope.options.allStages) return passOver(stage, scope);
          asked.add(stage);
          stage.start = await findBase(stage, scope);
          endAsFound(stage, scope.epoch);
        } catch (error) {
          throw placed(withNearStage(error, stage, plan), stage.lines, errorFile);
        }
      }),
    );
    for (const lookup of lookups) if (lookup.status === "rejected") throw lookup.reason;
    more = [...reachableStages(target)]
      .filter((stage) => stage.from !== undefined && stage.namedContext === undefined)
      .map((stage) => addPlaced(stage, plan, errorFile))
      .includes(true);
  }
}

/** A name that is no image may be a misspelt stage's. */
function withNearStage(error: unknown, stage: PlannedStage, plan: StagePlan): unknown {
  if (!isKilnError(error) || !noImage.has(error.code)) return error;
  const near = closest(stage.baseName, plan.names());
  if (near === undefined) return error;
  const { code, message, cause, details, others } = error;
  const hint = `Did you mean the stage ${near}?`;
  return new KilnError(code, message, { cause, details, others, hint });
}

/** What registries answer to names that they do not have. */
const noImage: ReadonlySet<ErrorCode> = new Set(["IMAGE_NOT_FOUND", "REGISTRY_DENIED"]);

/** Images that are only read from, and contexts in the place of stages, have no instructions to convert. */
function endAsFound(stage: PlannedStage, epoch: Date | undefined): void {
  if (stage.start === undefined || (stage.from !== undefined && stage.namedContext === undefined))
    return;
  stage.end = new Stage(stage.start, epoch);
}

/** Names must be right in stages that nobody needs, too. */
function passOver(stage: PlannedStage, scope: BaseScope): void {
  if (stage.baseName === "scratch" && stage.namedContext === undefined) return;
  scope.images.name(stage.baseName);
  if (stage.steps > 0) stage.passedOver++;
}

function addPlaced(stage: PlannedStage, plan: StagePlan, errorFile: ErrorFile): boolean {
  try {
    return addTriggers(stage, plan);
  } catch (error) {
    throw placed(error, stage.lines, errorFile);
  }
}
