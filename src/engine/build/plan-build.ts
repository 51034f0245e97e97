// `kiln build --plan`: what the build would do. No step runs.
import type { BuildEvent, BuildRequest, BuildResult, Session } from "../../api/index.ts";
import { type Call, type Digest, isKilnError, runAll } from "../../base/index.ts";
import { type PlanTarget, planReport, watchImages } from "../plan/index.ts";
import { describe, rulesOf, sharedBy } from "./describe.ts";
import { readAllowed } from "./entitlements.ts";
import { openJob } from "./explained-job.ts";
import { grantedTo, type RunningParts } from "./parts.ts";

/** What the build would do. Names are looked up and lent directories are read; no step runs. */
export async function planBuild(
  request: BuildRequest,
  session: Session,
  parts: RunningParts,
  call: Call,
): Promise<BuildResult> {
  const granted = grantedTo(request, parts);
  const images = watchImages(parts.images);
  // Sources that were only asked for their key are through with it, however far a build would go.
  const emit = (event: BuildEvent) =>
    parts.emit(isCancelled(event) && !call.signal.aborted ? { ...event, state: "done" } : event);
  await using job = openJob(request, session, { ...parts, emit });
  const rules = rulesOf(request, session, parts);
  const described = await describe(
    request,
    session,
    job,
    { ...parts, images, granted, rules, importCaches: async () => {} },
    call,
  );
  const targets = await runAll(
    described.platforms,
    async ({ platform, definition }, planning): Promise<PlanTarget> => {
      const graph = definition ? readAllowed(definition, granted) : undefined;
      const cached = await job
        .foresee(graph, sharedBy(request, session, parts), planning)
        // An image that lacks the platform has been noted; what stands on it has nothing cached.
        .catch(unlessNotOffered);
      return { platform, graph, cached };
    },
    call,
  );
  const [native] = parts.platforms;
  if (!native) throw new Error("no platform can be built here");
  const { executor } = parts;
  const plan = await planReport(targets, { native, executor, images: images.found() }, call);
  return { exporterResponse: described.metadata, plan };
}

function isCancelled(event: BuildEvent): event is Extract<BuildEvent, { type: "step" }> {
  return event.type === "step" && event.state === "cancelled";
}

function unlessNotOffered(error: unknown): ReadonlyMap<Digest, boolean> {
  if (isKilnError(error) && error.code === "PLATFORM_NOT_OFFERED") return new Map();
  throw error;
}
