// A build's bridge as the gateway protocol on any byte stream: for frontends that run in containers.

import type { Duplex } from "node:stream";
import type { BuildBridge, FrontendResult } from "../../api/index.ts";
import { type Call, KilnError, log } from "../../base/index.ts";
import { createGrpcServer } from "../grpc/index.ts";
import { DrivenBuild } from "./driven-build.ts";
import { gatewayService } from "./gateway.ts";
import { healthService } from "./health.ts";
import { workerRecord } from "./workers.ts";

const debug = log("gateway");

/** Milliseconds in which a frontend has to answer a ping: one that speaks nonsense later on does not. */
const keepAlive = 10_000;

/** Resolves with what the other end returns; rejects when the call is cancelled. */
export async function serveBridge(
  bridge: BuildBridge,
  socket: Duplex,
  call: Call,
): Promise<FrontendResult> {
  const build = new DrivenBuild(bridge, call);
  const info = { name: "gateway", version: "", platforms: bridge.platforms, labels: {} };
  const version = { package: "github.com/moby/buildkit", version: "", revision: "" };
  const worker = async () => workerRecord(info, "kiln", version);
  const gateway = gatewayService({ buildOf: async () => build, worker });
  const names = () => [gateway.definition.fullName];
  await using server = createGrpcServer([gateway, healthService(names)], {
    onError: (error) => debug.debug("frontend", { error: String(error) }),
    keepAlive,
  });
  const lost = server.accept(socket).then((): never => {
    throw new KilnError("FRONTEND_FAILED", "the frontend does not speak the gateway protocol", {
      hint: "Its connection ended before it returned a result.",
    });
  });
  lost.catch(() => {});
  const result = await Promise.race([build.outcome(), lost]);
  // The answer to its last call is still to be sent.
  await new Promise((resolve) => setTimeout(resolve, 50));
  return result;
}
