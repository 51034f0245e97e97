// Questions to a frontend (`requestid`: outlines, targets, checks): a build that this side drives, because a daemon keeps the
// answer to itself where it runs the frontend on its own.
import type { Attrs } from "../../api/index.ts";
import type { Call } from "../../base/index.ts";
import { control, gateway } from "../../formats/proto/index.ts";
import { asStatus, type Channel, createClient } from "../grpc/index.ts";

/** Names the build that a call of LLBBridge is about. */
const buildIdKey = "buildkit-controlapi-buildid";

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
  const solving = createClient(control.ControlDefinition, channel).solve(own, call);
  // Told by whichever of the two calls fails first.
  solving.catch(() => {});
  const bridge = createClient(gateway.LLBBridgeDefinition, channel);
  const about = { ...call, metadata: new Map([[buildIdKey, [message.Ref]]]) };
  const request: gateway.SolveRequest = {
    Definition: undefined,
    Frontend,
    FrontendOpt: FrontendAttrs,
    FrontendInputs,
    CacheImports: Cache?.Imports ?? [],
    allowResultReturn: true,
    allowResultArrayRef: true,
    Final: false,
    ExporterAttr: new Uint8Array(),
    Evaluate: false,
    SourcePolicies: [],
  };
  // A build that could not begin fails without waiting for the bridge to miss it.
  const failing = solving.then(() => new Promise<never>(() => {}));
  try {
    const { result } = await Promise.race([bridge.solve(request, about), failing]);
    await bridge.return({ result, error: undefined }, about);
    await solving;
    const texts = [...(result?.metadata ?? [])].map(
      ([key, value]) => [key, new TextDecoder().decode(value)] as const,
    );
    return Object.fromEntries(texts);
  } catch (error) {
    const { code, message: text, details } = asStatus(error);
    const told = { code, message: text, details: [...details] };
    // The build ends with the error; where it has ended already, nobody needs to be told.
    const ended = await bridge.return({ result: undefined, error: told }, about).then(
      // The build's own failure knows more: places in the file.
      () => solving.then(() => error),
      () => error,
    );
    throw ended;
  }
}
