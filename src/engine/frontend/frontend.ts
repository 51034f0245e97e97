// What turns a request into definitions: it sees the build through a bridge and nothing else.
import type { Attrs, BuildBridge, FrontendResult } from "../../api/index.ts";
import type { Call } from "../../base/index.ts";

export interface Frontend {
  readonly name: "dockerfile.v0" | "gateway.v0";
  solve(attrs: Attrs, bridge: BuildBridge, call: Call): Promise<FrontendResult>;
}
