// One build on a daemon: its session, its progress, its outcome.
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { Build, BuildEvent, BuildRequest, BuildResult, Session } from "../../api/index.ts";
import { AsyncStack, abortReason, type Call, EventQueue, log } from "../../base/index.ts";
import { type Descriptor, parseDescriptor } from "../../formats/oci/index.ts";
import { control } from "../../formats/proto/index.ts";
import {
  type Channel,
  createClient,
  createGrpcServer,
  type Metadata,
  openTunnel,
  streamedBytes,
} from "../grpc/index.ts";
import { metadataKeys, policyService, serveSession } from "../session/index.ts";
import { type FrontendAttrs, ownContexts } from "./context-sessions.ts";
import { buildError } from "./errors.ts";
import { driveBuild } from "./gateway/drive.ts";
import { lendLocalCaches } from "./local-caches.ts";
import { lendExports } from "./local-exports.ts";
import { askFrontend, isQuestion } from "./question.ts";
import { solveRequest } from "./request.ts";
import { StatusReader } from "./status.ts";
import type { RemoteBuilderOptions } from "./types.ts";

const debug = log("client");

/** After a build has ended, its progress may be silent for so long before it is given up, in milliseconds: the reference's. */
const statusPatience = 5000;

/** Begins at once. The session is lent until `result` has settled. */
export function startBuild(
  request: BuildRequest,
  session: Session,
  openChannel: (call: Call) => Promise<Channel>,
  options: RemoteBuilderOptions,
  call: Call,
): Build {
  const events = new EventQueue<BuildEvent>();
  const result = runBuild({ request, session, openChannel, options, events }, call)
    .catch((error: unknown) => {
      throw call.signal.aborted ? call.signal.reason : buildError(error);
    })
    .finally(() => events.end());
  // Whoever awaits `result` sees the failure; who only reads events must not crash the process.
  result.catch(() => {});
  return { events, result };
}

interface Running {
  readonly request: BuildRequest;
  readonly session: Session;
  readonly openChannel: (call: Call) => Promise<Channel>;
  readonly options: RemoteBuilderOptions;
  readonly events: EventQueue<BuildEvent>;
}

async function runBuild(asked: Running, call: Call): Promise<BuildResult> {
  const caches = await lendLocalCaches(asked.request, asked.session, call);
  const { request } = caches;
  const exports = lendExports(request, caches.session);
  const { session } = exports;
  const running = { ...asked, request, session };
  const { events } = running;
  const id = sessionId();
  const asIs = solveRequest(request, id);
  const wanted = running.options.amend?.(asIs) ?? asIs;
  const channel = await running.openChannel(call);
  const client = createClient(control.ControlDefinition, channel);
  await using stack = new AsyncStack();
  const over = new AbortController();
  stack.defer(() => over.abort(abortReason("the build is over")));
  const during: Call = { signal: AbortSignal.any([call.signal, over.signal]) };
  const opening = { running, channel, stack };
  await openSession({ ...opening, id }, during);
  const frontendAttrs = ownContexts(session, async (other) => {
    const otherId = sessionId();
    await openSession({ ...opening, running: { ...running, session: other }, id: otherId }, during);
    return otherId;
  });
  const status = followStatus(client.status({ Ref: request.ref }, during), events, over);
  const solving = (async () => {
    const attrs = await frontendAttrs(Object.fromEntries(wanted.FrontendAttrs), during);
    const message = { ...wanted, FrontendAttrs: new Map(Object.entries(attrs)) };
    return await solve(message, request, { channel, frontendAttrs }, call);
  })();
  const response = await solved(solving, status);
  await caches.finish(response, call);
  await exports.finish(response, call);
  return resultOf(response);
}

/** By the builder alone, or together with this side, which drives it or waits for an answer. */
async function solve(
  message: control.SolveRequest,
  { drive, inputs = {} }: BuildRequest,
  { channel, frontendAttrs }: { readonly channel: Channel; readonly frontendAttrs: FrontendAttrs },
  call: Call,
): Promise<BuildResult["exporterResponse"]> {
  if (drive) return await driveBuild(message, { drive, inputs, frontendAttrs }, channel, call);
  if (isQuestion(message)) return await askFrontend(message, channel, call);
  const answer = await createClient(control.ControlDefinition, channel).solve(message, call);
  return Object.fromEntries(answer.ExporterResponse);
}

/** The outcome, when progress has been told to its end. */
async function solved<T>(solving: Promise<T>, status: Status): Promise<T> {
  try {
    return await solving;
  } finally {
    await status.end();
  }
}

interface Opening {
  readonly running: Running;
  readonly id: string;
  readonly channel: Channel;
  readonly stack: AsyncStack;
}

/** What the tunnel carries is handed on as it comes. */
const sessionDefinition = {
  ...control.ControlDefinition,
  methods: {
    session: { ...control.ControlDefinition.methods.session, responseType: streamedBytes },
  },
} as const;

/** Serves what the session lends on a stream through the connection; it ends with the stack. */
async function openSession({ running, id, channel, stack }: Opening, call: Call): Promise<void> {
  const { session, options, request } = running;
  const exporters = request.exporters.map(({ type }) => type);
  const services = [
    ...serveSession(session, { exporters }),
    ...(request.checkSource ? [policyService(request.checkSource)] : []),
  ];
  const server = stack.use(
    createGrpcServer(services, {
      onError: (error) => debug.debug("session", { error: String(error) }),
    }),
  );
  const methods = services.flatMap((service) => service.methods.map(({ path }) => path));
  const metadata: Metadata = new Map([
    [metadataKeys.sessionId, [id]],
    [metadataKeys.sessionName, [""]],
    [metadataKeys.sharedKey, [session.sharedKey ?? ""]],
    [metadataKeys.sessionMethod, methods],
  ]);
  const client = createClient(sessionDefinition, channel);
  const socket = options.connectSession
    ? await options.connectSession(metadata, call)
    : openTunnel((outgoing) => client.session(outgoing, { ...call, sendMetadata: metadata }));
  socket.on("error", (error) => debug.debug("session ended", { error: String(error) }));
  stack.defer(() => socket.destroy());
  void server.accept(socket);
}

interface Status {
  /** Resolves when all has been told, or nothing more comes. */
  end(): Promise<void>;
}

function followStatus(
  responses: AsyncIterable<control.StatusResponse>,
  events: EventQueue<BuildEvent>,
  over: AbortController,
): Status {
  const reader = new StatusReader(() => new Date());
  let heard = performance.now();
  const told = (async () => {
    for await (const response of responses) {
      heard = performance.now();
      for (const event of reader.events(response)) events.push(event);
    }
  })().catch((error: unknown) => debug.debug("progress ended", { error: String(error) }));
  return {
    async end() {
      const timer = setInterval(() => {
        if (performance.now() - heard > statusPatience)
          over.abort(abortReason("the builder says nothing more"));
      }, 250);
      heard = performance.now();
      await told;
      clearInterval(timer);
    },
  };
}

function resultOf(exporterResponse: Readonly<Record<string, string>>): BuildResult {
  const descriptor = readDescriptor(exporterResponse["containerimage.descriptor"]);
  return { exporterResponse, ...(descriptor ? { descriptor } : {}) };
}

/** Base64 of JSON. One that cannot be read is left out: the response says all it says. */
function readDescriptor(text: string | undefined): Descriptor | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64").toString("utf8"));
    return parseDescriptor(value, "containerimage.descriptor");
  } catch {
    return undefined;
  }
}

/** 25 characters of base 36, as the reference's. */
function sessionId(): string {
  const number = BigInt(`0x${randomBytes(17).toString("hex")}`);
  return number.toString(36).padStart(25, "0").slice(-25);
}
