// Questions to a frontend (`requestid`: outlines, targets, checks): a build that this side drives, because a daemon keeps the
// answer to itself where it runs the frontend on its own.
import type { Attrs } from "../../api/index.ts";
import type { Call } from "../../base/index.ts";
import { type control, gateway } from "../../formats/proto/index.ts";
import type { Channel } from "../grpc/index.ts";
import { solveMessage } from "./gateway/calls.ts";
import { whileSolving } from "./gateway/drive.ts";

/** Whether a request asks its frontend something, instead of for a build. */
export function isQuestion({ Frontend, FrontendAttrs }: control.SolveRequest): boolean {
  return Frontend !== "" && FrontendAttrs.has("requestid");
}

/** The frontend's answer: `result.json`, `result.txt` and what else it says. Nothing is exported. */
export async function askFrontend(
  message: control.SolveRequest,
  channel: Channel,
  call: Call,
): Promise<Attrs> {
  const { Frontend, FrontendAttrs, FrontendInputs, Cache, ...rest } = message;
  const none = { Frontend: "", FrontendAttrs: new Map(), FrontendInputs: new Map() };
  const own = { ...rest, ...none, Cache: undefined, Exporters: [], ExporterDeprecated: "" };
  let answer: gateway.Result["metadata"] = new Map();
  await whileSolving(
    own,
    channel,
    async ({ bridge, about }, during) => {
      const request = solveMessage({
        Frontend,
        FrontendOpt: FrontendAttrs,
        FrontendInputs,
        CacheImports: Cache?.Imports ?? [],
      });
      const { result = gateway.Result.create() } = await bridge.solve(request, about(during));
      answer = result.metadata;
      return result;
    },
    call,
  );
  const text = new TextDecoder();
  return Object.fromEntries(Array.from(answer, ([key, value]) => [key, text.decode(value)]));
}
