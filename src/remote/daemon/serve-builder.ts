// A builder as BuildKit's gRPC services.
import type { Builder } from "../../api/index.ts";
import { abortable, type Call, delay } from "../../base/index.ts";
import { type ServerCall, type Service, StatusError, statusCodes } from "../grpc/index.ts";
import { remoteSession } from "../session/index.ts";
import { controlService } from "./control.ts";
import type { DrivenBuild } from "./driven-build.ts";
import { Figures } from "./figures.ts";
import { gatewayService } from "./gateway.ts";
import { healthService, reflectionServices, traceService } from "./health.ts";
import { contentService } from "./history-service.ts";
import { Sessions } from "./sessions.ts";
import { type DaemonVersion, workerRecord } from "./workers.ts";

export interface ServeOptions {
  /** The worker's name, the same as long as the builder's root is. */
  readonly workerId: string;
  readonly version: DaemonVersion;
  /** Added to the builder's own labels. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly now: () => Date;
  /** Counted on; of no interest where absent. */
  readonly figures?: Figures;
}

/** Milliseconds in which a build must have begun that calls of LLBBridge are about: the reference's. */
const patience = 3000;
/** Which build a call of LLBBridge is about. */
const buildIdKey = "buildkit-controlapi-buildid";

/** All services of a daemon. The builder stays its owner's. */
export function serveBuilder(builder: Builder, options: ServeOptions): readonly Service[] {
  const { figures = new Figures() } = options;
  const sessions = new Sessions(remoteSession, figures);
  const driven = new Map<string, DrivenBuild>();
  const worker = async (call: Call) => {
    const info = await builder.info(call);
    const labels = { ...info.labels, ...options.labels };
    return workerRecord({ ...info, labels }, options.workerId, options.version);
  };
  const buildOf = async (call: ServerCall): Promise<DrivenBuild> => {
    const id = call.metadata.get(buildIdKey)?.[0] ?? "";
    const rest = 10;
    // By the clock: on a busy machine every rest takes longer than it should.
    for (const end = performance.now() + patience; ; await abortable(delay(rest, call), call)) {
      const found = driven.get(id);
      if (found) return found;
      if (performance.now() > end) break;
    }
    throw new StatusError(statusCodes.NOT_FOUND, `no such build ${id}`);
  };
  const services = [
    controlService({
      builder,
      sessions,
      driven,
      worker,
      version: options.version,
      now: options.now,
      figures,
    }),
    gatewayService({ buildOf, worker }),
    ...(builder.history ? [contentService(builder.history)] : []),
  ];
  const names = () => all.map(({ definition }) => definition.fullName);
  const all: Service[] = [
    ...services,
    traceService(),
    healthService(names),
    ...reflectionServices(names),
  ];
  return all;
}
