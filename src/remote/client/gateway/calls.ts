// One build's calls to LLBBridge, and what the builder's gateway can do.
import type { Call } from "../../../base/index.ts";
import { gateway } from "../../../formats/proto/index.ts";
import { type Channel, type Client, createClient, type Metadata } from "../../grpc/index.ts";

/** Names the build that a call of LLBBridge is about. */
const buildIdKey = "buildkit-controlapi-buildid";

/** What a gateway may be able to do, by the name it says it with (frontend/gateway/pb/caps.go). */
export type GatewayCap = "gateway.evaluate" | "gateway.exec" | "gateway.exec.filesystem";

export interface Gateway {
  readonly bridge: Client<typeof gateway.LLBBridgeDefinition>;
  /** The call with the metadata that say which build is meant. */
  about(call: Call): Call & { readonly sendMetadata: Metadata };
  /** Asked once. */
  pong(call: Call): Promise<gateway.PongResponse>;
  can(cap: GatewayCap, call: Call): Promise<boolean>;
}

/** Costs nothing until it is called. */
export function openGateway(channel: Channel, ref: string): Gateway {
  const bridge = createClient(gateway.LLBBridgeDefinition, channel);
  const sendMetadata: Metadata = new Map([[buildIdKey, [ref]]]);
  const about = (call: Call) => ({ ...call, sendMetadata });
  let asked: Promise<gateway.PongResponse> | undefined;
  const pong = (call: Call) => {
    asked ??= bridge.ping({}, about(call));
    return asked;
  };
  return {
    bridge,
    about,
    pong,
    can: async (cap, call) => {
      const { FrontendAPICaps } = await pong(call);
      return FrontendAPICaps.some(({ ID, Enabled }) => ID === cap && Enabled);
    },
  };
}

/** A request for a solve, with what is not said left empty. */
export function solveMessage(said: Partial<gateway.SolveRequest>): gateway.SolveRequest {
  return gateway.SolveRequest.create({
    allowResultReturn: true,
    allowResultArrayRef: true,
    ...said,
  });
}
