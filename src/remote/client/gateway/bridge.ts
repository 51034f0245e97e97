// A BuildBridge over LLBBridge: a build elsewhere as whoever drives it sees it.
import type {
  BuildBridge,
  ExportRequest,
  FailedStep,
  ResultRef,
  SourcePolicy,
} from "../../../api/index.ts";
import { type AsyncStack, type Call, isDigest, KilnError, log } from "../../../base/index.ts";
import { type Definition, encodeDefinition } from "../../../formats/llb/index.ts";
import { type Platform, parseImageConfig } from "../../../formats/oci/index.ts";
import { gateway, pb } from "../../../formats/proto/index.ts";
import { StatusError } from "../../grpc/index.ts";
import { policyMessage, readMeta, sourceMessage } from "../../session/index.ts";
import type { FrontendAttrs } from "../context-sessions.ts";
import { buildError } from "../errors.ts";
import { type Gateway, solveMessage } from "./calls.ts";
import { openContainer } from "./container.ts";
import { failedStep } from "./failure.ts";
import { type RemoteRef, remoteRef } from "./files.ts";
import { KnownResults, nativePlatform } from "./results.ts";

const debug = log("client");

/** A bridge, and what it knows of results. */
export interface RemoteBridge extends BuildBridge {
  readonly results: KnownResults;
}

export interface BridgeOptions {
  readonly inputs: BuildBridge["inputs"];
  /** What is asked of frontends, in words that they understand. */
  readonly frontendAttrs: FrontendAttrs;
  /** Takes what is opened on the way. */
  readonly stack: AsyncStack;
}

/** Asks the builder what it is; its answers stay good as long as the build does. */
export async function openBridge(
  wire: Gateway,
  options: BridgeOptions,
  call: Call,
): Promise<RemoteBridge> {
  const platforms = nativePlatform(await wire.pong(call));
  return new Bridge(
    { ...options, wire, platforms, results: new KnownResults(), failed: [] },
    [],
    call,
  );
}

interface Shared extends BridgeOptions {
  readonly wire: Gateway;
  readonly platforms: readonly Platform[];
  readonly results: KnownResults;
  readonly failed: FailedStep[];
}

class Bridge implements RemoteBridge {
  readonly #shared: Shared;
  readonly #policies: readonly SourcePolicy[];
  readonly #imports: ExportRequest[] = [];
  readonly #call: Call;

  constructor(shared: Shared, policies: readonly SourcePolicy[], call: Call) {
    this.#shared = shared;
    this.#policies = policies;
    this.#call = call;
  }

  get results(): KnownResults {
    return this.#shared.results;
  }

  get platforms(): readonly Platform[] {
    return this.#shared.platforms;
  }

  get inputs(): BuildBridge["inputs"] {
    return this.#shared.inputs;
  }

  async solve(definition: Definition, call: Call): Promise<ResultRef | undefined> {
    const { wire, results } = this.#shared;
    return await this.#noting(async () => {
      let id = results.idOf(definition);
      if (id === undefined) {
        const request = { Definition: message(definition), ...this.#common() };
        const { result } = await wire.bridge.solve(solveMessage(request), wire.about(call));
        id = result?.result?.$case === "ref" ? result.result.value.id : "";
        results.name(definition, id);
      }
      if (id === "") return undefined;
      const ref = remoteRef(wire, id);
      // Older builders evaluate what is looked at.
      if (await wire.can("gateway.evaluate", call))
        await wire.bridge.evaluate({ Ref: id }, wire.about(call));
      else await wire.bridge.statFile({ Ref: id, Path: ".", MountIndex: 0 }, wire.about(call));
      return ref;
    });
  }

  async frontend({ name, attrs, inputs }: Parameters<BuildBridge["frontend"]>[0], call: Call) {
    const { wire, results, frontendAttrs } = this.#shared;
    return await this.#noting(async () => {
      const request = solveMessage({
        Frontend: name,
        FrontendOpt: new Map(Object.entries(await frontendAttrs(attrs, call))),
        FrontendInputs: new Map(
          Object.entries(inputs).map(([key, one]) => [key, message(one)] as const),
        ),
        ...this.#common(),
      });
      const { result } = await wire.bridge.solve(request, wire.about(call));
      return results.read(result ?? gateway.Result.create(), this.#native());
    });
  }

  async resolveImage(
    reference: string,
    { platform, mode = "default", layout, logName }: Parameters<BuildBridge["resolveImage"]>[1],
    call: Call,
  ) {
    const { wire } = this.#shared;
    return await this.#noting(async () => {
      const { os, architecture, variant = "", osVersion = "" } = platform;
      const { Digest, Config, Ref } = await wire.bridge.resolveImageConfig(
        gateway.ResolveImageConfigRequest.create({
          Ref: reference,
          Platform: pb.Platform.create({
            OS: os,
            Architecture: architecture,
            Variant: variant,
            OSVersion: osVersion,
          }),
          ResolveMode: mode,
          LogName: logName ?? "",
          ...(layout === undefined ? {} : { ResolverType: 1, StoreID: layout }),
          SourcePolicies: this.#policies.map(policyMessage),
        }),
        wire.about(call),
      );
      if (!isDigest(Digest))
        throw new KilnError("BUILDER_FAILED", `the builder found ${reference} without a digest`);
      const config = parseImageConfig(Config);
      const name = Ref || reference;
      const pinned = name.includes("@") ? name : `${name}@${Digest}`;
      return { reference: pinned, digest: Digest, config, rawConfig: Config };
    });
  }

  async resolveSource(
    source: Parameters<BuildBridge["resolveSource"]>[0],
    { platform, resolveMode, logName }: Parameters<BuildBridge["resolveSource"]>[1],
    call: Call,
  ) {
    const { wire } = this.#shared;
    return await this.#noting(async () =>
      readMeta(
        await wire.bridge.resolveSourceMeta(
          gateway.ResolveSourceMetaRequest.create({
            Source: sourceMessage(source),
            ResolveMode: resolveMode ?? "",
            LogName: logName ?? "",
            SourcePolicies: this.#policies.map(policyMessage),
            ...(platform
              ? {
                  Platform: pb.Platform.create({
                    OS: platform.os,
                    Architecture: platform.architecture,
                    Variant: platform.variant ?? "",
                  }),
                }
              : {}),
          }),
          wire.about(call),
        ),
      ),
    );
  }

  /** The wire has no question for it. */
  modified(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** The builder applies its policies when it solves. */
  allowed(definition: Definition): Promise<Definition> {
    return Promise.resolve(definition);
  }

  under(policies: readonly SourcePolicy[]): BuildBridge {
    return new Bridge(this.#shared, [...this.#policies, ...policies], this.#call);
  }

  importCaches(imports: readonly ExportRequest[]): Promise<void> {
    this.#imports.push(...imports);
    return Promise.resolve();
  }

  async container(request: Parameters<BuildBridge["container"]>[0], call: Call) {
    const ids = request.refs.map((ref) => (ref && "id" in ref ? (ref as RemoteRef).id : ""));
    return await openContainer(this.#shared.wire, request, ids, call);
  }

  failures(): readonly FailedStep[] {
    return this.#shared.failed;
  }

  warn({ message: short, detail = [], url = "" }: Parameters<BuildBridge["warn"]>[0]): void {
    const { bridge, about } = this.#shared.wire;
    const text = new TextEncoder();
    const request = gateway.WarnRequest.create({
      short: text.encode(short),
      detail: detail.map((line) => text.encode(line)),
      url,
    });
    bridge
      .warn(request, about(this.#call))
      .catch((error: unknown) => debug.debug("warning not told", { error: String(error) }));
  }

  #common(): Pick<gateway.SolveRequest, "CacheImports" | "SourcePolicies"> {
    return {
      CacheImports: this.#imports.map(({ type, attrs }) => ({
        Type: type,
        Attrs: new Map(Object.entries(attrs)),
      })),
      SourcePolicies: this.#policies.map(policyMessage),
    };
  }

  #native(): Platform {
    const [native] = this.#shared.platforms;
    if (native) return native;
    throw new KilnError("BUILDER_FAILED", "the builder names no platform that it builds for");
  }

  /** Steps that fail are remembered; statuses become Kiln's errors, with their places. */
  async #noting<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      const { wire, results, stack, failed } = this.#shared;
      const found = failedStep(error, results.definitions, wire, { native: this.#native(), stack });
      if (found) failed.push(found);
      throw buildError(error);
    }
  }
}

function message(definition: Definition): pb.Definition {
  return pb.Definition.decode(encodeDefinition(definition));
}
