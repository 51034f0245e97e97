// LLBBridge: what a client, or a frontend in a container, asks of the build that it drives.
import type { BuildBridge, ResolveMode, ResultRef } from "../../api/index.ts";
import { type Call, type Digest, isDigest, KilnError } from "../../base/index.ts";
import { encodeDefinition, fromFileMessage } from "../../formats/llb/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import { type errdefs, gateway, pb, type workers } from "../../formats/proto/index.ts";
import {
  bind,
  type Implementation,
  type ServerCall,
  type Service,
  StatusError,
} from "../grpc/index.ts";
import { metaMessage, readPlatform, readPolicies, readSource } from "../session/index.ts";
import { gatewayCaps, llbCaps } from "./caps.ts";
import { containerMethods } from "./containers.ts";
import type { DrivenBuild } from "./driven-build.ts";
import { messageJson } from "./error-json.ts";
import { fitDetails } from "./fit-details.ts";
import { entriesOf, noSuchFile, readFileOf, statFileOf } from "./read-files.ts";
import { definitionOf, definitionsOf } from "./solve-request.ts";
import { toStatus } from "./statuses.ts";

/** What the service needs of the daemon around it. */
export interface GatewayParts {
  /** The build that a call is about. Throws when there is none. */
  readonly buildOf: (call: ServerCall) => Promise<DrivenBuild>;
  readonly worker: (call: Call) => Promise<workers.WorkerRecord>;
}

type Bridge = Implementation<typeof gateway.LLBBridgeDefinition>;

const modes: readonly ResolveMode[] = ["default", "pull", "local"];

export function gatewayService(parts: GatewayParts): Service {
  /** Finds the build and tells failures in the reference's form. */
  const on = async <T>(
    call: ServerCall,
    work: (build: DrivenBuild) => Promise<T> | T,
  ): Promise<T> => {
    const build = await parts.buildOf(call);
    try {
      return await work(build);
    } catch (error) {
      const locations = (step: string) => build.locations(step);
      throw withFailure(toStatus(error, { locations }), build.failure(error));
    }
  };
  const implementation: Bridge = {
    ping: async (_request, call) => ({
      FrontendAPICaps: [...gatewayCaps],
      LLBCaps: [...llbCaps],
      Workers: [await parts.worker(call)],
    }),
    solve: (request, call) => on(call, (build) => solve(build, request, call)),
    evaluate: (request, call) =>
      on(call, async (build) => {
        await build.files(request.Ref, call);
        return {};
      }),
    return: (request, call) =>
      on(call, (build) => {
        build.return(request.result, request.error);
        return {};
      }),
    inputs: (_request, call) =>
      on(call, ({ bridge }) => ({
        Definitions: new Map(
          Object.entries(bridge.inputs).map(([name, definition]) => [
            name,
            pb.Definition.decode(encodeDefinition(definition)),
          ]),
        ),
      })),
    warn: (request, call) => on(call, ({ bridge }) => warn(bridge, request)),
    resolveImageConfig: (request, call) =>
      on(call, ({ bridge }) => resolveImageConfig(bridge, request, call)),
    resolveSourceMeta: (request, call) =>
      on(call, ({ bridge }) => resolveSourceMeta(bridge, request, call)),
    ...files(on),
    ...containerMethods(on, parts.buildOf),
  };
  return bind(gateway.LLBBridgeDefinition, implementation);
}

/** Clients that debug ask for what the failed step left. */
function withFailure(error: unknown, left: errdefs.Solve | undefined): unknown {
  if (!(error instanceof StatusError) || !left) return error;
  const value = new TextEncoder().encode(JSON.stringify(messageJson(left)));
  const detail = { typeUrl: "github.com/moby/buildkit/errdefs.Solve+json", value };
  return fitDetails(new StatusError(error.code, error.message, [...error.details, detail]));
}

type On = <T>(call: ServerCall, work: (build: DrivenBuild) => Promise<T> | T) => Promise<T>;

/** Reading what has been solved. */
function files(on: On): Pick<Bridge, "readFile" | "readDir" | "statFile"> {
  const at = <T>(
    call: ServerCall,
    ref: string,
    path: string,
    work: (files: ResultRef) => Promise<T>,
  ): Promise<T> =>
    on(call, async (build) => {
      const found = await build.files(ref, call);
      if (!found) throw noSuchFile(path);
      return await work(found);
    });
  return {
    readFile: ({ Ref, FilePath, Range }, call) =>
      at(call, Ref, FilePath, async (found) => {
        return { Data: await readFileOf(found, FilePath, Range, call) };
      }),
    readDir: ({ Ref, DirPath, IncludePattern }, call) =>
      at(call, Ref, DirPath, async (found) => {
        return { entries: await entriesOf(found, DirPath, IncludePattern, call) };
      }),
    statFile: ({ Ref, Path }, call) =>
      at(call, Ref, Path, async (found) => {
        return { stat: await statFileOf(found, Path, call) };
      }),
  };
}

/** A definition, or another frontend's result; lazily, unless it is to be evaluated. */
async function solve(
  build: DrivenBuild,
  request: gateway.SolveRequest,
  call: Call,
): Promise<gateway.SolveResponse> {
  const { Frontend, FrontendOpt, FrontendInputs } = request;
  const definition = definitionOf(request.Definition);
  if (definition && Frontend !== "")
    throw new KilnError(
      "REQUEST_INVALID",
      "cannot solve with both Definition and Frontend specified",
    );
  const imports = request.CacheImports.map(({ Type, Attrs }) => ({
    type: Type,
    attrs: Object.fromEntries(Attrs),
  }));
  const bridge = build.bridge.under(readPolicies(request.SourcePolicies));
  if (imports.length > 0) await bridge.importCaches(imports, call);
  const allowed = definition && (await bridge.allowed(definition, call));
  const result =
    Frontend === ""
      ? gateway.Result.create({ result: { $case: "ref", value: build.hold(allowed) } })
      : build.resultMessage(
          await bridge.frontend(
            {
              name: Frontend,
              attrs: Object.fromEntries(FrontendOpt),
              inputs: definitionsOf(FrontendInputs),
            },
            call,
          ),
        );
  if (request.Evaluate) await Promise.all(heldBy(result).map((id) => build.files(id, call)));
  const [first = ""] = heldBy(result);
  return request.allowResultReturn ? { ref: "", result } : { ref: first, result: undefined };
}

function heldBy({ result }: gateway.Result): string[] {
  if (result?.$case === "ref") return [result.value.id];
  return result?.$case === "refs" ? Array.from(result.value.refs.values(), ({ id }) => id) : [];
}

async function resolveImageConfig(
  bridge: BuildBridge,
  request: gateway.ResolveImageConfigRequest,
  call: Call,
): Promise<gateway.ResolveImageConfigResponse> {
  const { Ref, LogName, StoreID, ResolverType } = request;
  const found = await bridge.under(readPolicies(request.SourcePolicies)).resolveImage(
    Ref,
    {
      platform: platformOf(request.Platform, bridge),
      mode: modeOf(request.ResolveMode),
      ...(LogName === "" ? {} : { logName: LogName }),
      ...(ResolverType === 1 ? { layout: StoreID } : {}),
    },
    call,
  );
  const named = asNamed(found.reference, found.digest, Ref);
  return { Digest: found.digest, Config: found.rawConfig, Ref: named };
}

/** As BuildKit answers: an image's name has the digest that it stands for only where it was asked for with one. */
function asNamed(found: string, digest: Digest, asked: string): string {
  const end = `@${digest}`;
  return asked.includes("@") || !found.endsWith(end) ? found : found.slice(0, -end.length);
}

/** What sources stand for now. */
async function resolveSourceMeta(
  bridge: BuildBridge,
  request: gateway.ResolveSourceMetaRequest,
  call: Call,
): Promise<gateway.ResolveSourceMetaResponse> {
  const { Source, Platform: wanted, LogName, ResolveMode } = request;
  const platform = readPlatform(wanted);
  const meta = await bridge.under(readPolicies(request.SourcePolicies)).resolveSource(
    readSource(Source),
    {
      ...(platform ? { platform } : {}),
      ...(ResolveMode === "" ? {} : { resolveMode: ResolveMode }),
      ...(LogName === "" ? {} : { logName: LogName }),
    },
    call,
  );
  if (!meta.image) return metaMessage(meta);
  const { identifier, attrs } = meta.source;
  const named = asNamed(identifier, meta.image.digest, Source?.identifier ?? "");
  return metaMessage({ ...meta, source: { identifier: named, attrs } });
}

function modeOf(text: string): ResolveMode {
  if (text === "") return "default";
  const mode = modes.find((one) => one === text);
  if (mode) return mode;
  throw new KilnError("REQUEST_INVALID", `there is no resolve mode ${JSON.stringify(text)}`);
}

function platformOf(message: pb.Platform | undefined, bridge: BuildBridge): Platform {
  const [native] = bridge.platforms;
  const platform = readPlatform(message) ?? native;
  if (platform) return platform;
  throw new Error("no platform can be built here");
}

/** Throws `REQUEST_INVALID` for places that make no sense. */
function warn(bridge: BuildBridge, request: gateway.WarnRequest): gateway.WarnResponse {
  const text = new TextDecoder();
  const { digest, info, level, url } = request;
  const ranges = request.ranges.map(({ start, end }) => {
    if (!start || start.line < 0) throw new KilnError("REQUEST_INVALID", "invalid source range");
    return { start, end: end ?? start };
  });
  const [range] = ranges;
  if (digest !== "" && !isDigest(digest))
    throw new KilnError("REQUEST_INVALID", `${digest.slice(0, 100)} names no step`);
  const warning = {
    message: text.decode(request.short),
    detail: request.detail.map((line) => text.decode(line)),
    ...(level > 0 ? { level } : {}),
    ...(url === "" ? {} : { url }),
    ...(info ? { location: { file: fromFileMessage(info), ranges } } : {}),
    ...(info && range
      ? {
          at: {
            file: info.filename,
            line: range.start.line,
            text: text.decode(info.data),
            endLine: range.end.line,
          },
        }
      : {}),
  };
  bridge.warn(warning, digest === "" ? undefined : digest);
  return {};
}
