// Builds that this side drives: Solve without a frontend, what is asked over LLBBridge meanwhile, and Return.
import type { Drive } from "../../../api/index.ts";
import { AsyncStack, abortReason, type Call, isAbortError } from "../../../base/index.ts";
import { control, type gateway, type rpc } from "../../../formats/proto/index.ts";
import {
  asStatus,
  type Channel,
  createClient,
  StatusError,
  statusCodes,
} from "../../grpc/index.ts";
import { type BridgeOptions, openBridge } from "./bridge.ts";
import { type Gateway, openGateway } from "./calls.ts";

/**
 * Runs `work` while the build `message` waits for what it returns; resolves with the exporters' response. A failure of
 * `work` ends the build and is thrown, unless the build knows more of it.
 */
export async function whileSolving(
  message: control.SolveRequest,
  channel: Channel,
  work: (wire: Gateway, call: Call) => Promise<gateway.Result>,
  call: Call,
): Promise<Readonly<Record<string, string>>> {
  const solving = createClient(control.ControlDefinition, channel).solve(message, call);
  // Told by whichever of the two fails first.
  solving.catch(() => {});
  const wire = openGateway(channel, message.Ref);
  const over = new AbortController();
  const during: Call = { signal: AbortSignal.any([call.signal, over.signal]) };
  // A build that could not begin fails without waiting for the bridge to miss it.
  const failing = solving.then(() => new Promise<never>(() => {}));
  try {
    const result = await Promise.race([work(wire, during), failing]);
    await wire.bridge.return({ result, error: undefined }, wire.about(call));
    return Object.fromEntries((await solving).ExporterResponse);
  } catch (error) {
    call.signal.throwIfAborted();
    throw await ended(error, wire, solving, call);
  } finally {
    over.abort(abortReason("the build is over"));
  }
}

/** The build ends with the error; where it has ended already, nobody needs to be told. */
async function ended(
  error: unknown,
  { bridge, about }: Gateway,
  solving: Promise<unknown>,
  call: Call,
): Promise<unknown> {
  const told = bridge.return({ result: undefined, error: statusOf(error) }, about(call));
  return await told.then(
    // The build's own failure knows more: places in the file.
    () => solving.then(() => error),
    () => error,
  );
}

/** Errors that came over the wire go back as they came. */
function statusOf(error: unknown): rpc.Status {
  const cause = error instanceof Error && error.cause instanceof StatusError ? error.cause : error;
  const { code, message, details } = isAbortError(cause)
    ? new StatusError(statusCodes.CANCELLED, "context canceled")
    : asStatus(cause);
  return { code, message, details: [...details] };
}

/** A build that `drive` drives, with everything else as the message has it. */
export async function driveBuild(
  message: control.SolveRequest,
  { drive, ...options }: { readonly drive: Drive } & Omit<BridgeOptions, "stack">,
  channel: Channel,
  call: Call,
): Promise<Readonly<Record<string, string>>> {
  const own = { ...message, Frontend: "", FrontendInputs: new Map(), Definition: undefined };
  return await whileSolving(
    own,
    channel,
    async (wire, during) => {
      await using stack = new AsyncStack();
      const bridge = await openBridge(wire, { ...options, stack }, during);
      return bridge.results.message(await drive(bridge, during));
    },
    call,
  );
}
