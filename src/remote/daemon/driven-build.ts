// A build that its client drives: what it solved so far, by reference, and the outcome it returns.
import { randomUUID } from "node:crypto";
import type {
  Attrs,
  BuildBridge,
  Container,
  FailedStep,
  FrontendResult,
  PlatformResult,
  ResultRef,
} from "../../api/index.ts";
import { abortable, type Call, isRecord, KilnError } from "../../base/index.ts";
import { type Definition, encodeDefinition } from "../../formats/llb/index.ts";
import { formatPlatform, type ImageConfig, type Platform } from "../../formats/oci/index.ts";
import { errdefs, gateway, pb, type rpc } from "../../formats/proto/index.ts";
import { StatusError } from "../grpc/index.ts";

/** Keys of a result's metadata (exporter/containerimage/exptypes). */
const configKey = "containerimage.config";
const baseConfigKey = "containerimage.base.config";
const platformsKey = "refs.platforms";
const epochKey = "source.date.epoch";

/** References that one build may hold; clients need a handful. */
const maxRefs = 10_000;

/** What a reference stands for. */
interface Known {
  readonly definition: Definition | undefined;
  solved?: Promise<ResultRef | undefined>;
}

export class DrivenBuild {
  readonly bridge: BuildBridge;
  readonly #call: Call;
  readonly #refs = new Map<string, Known>();
  /** Names that are taken, also by containers that are being opened. */
  readonly #containers = new Map<string, Promise<Container>>();
  readonly #open = new Map<string, Container>();
  readonly #failures = new Map<FailedStep, errdefs.Solve>();
  #settle: { resolve(result: FrontendResult): void; reject(error: unknown): void } = {
    resolve() {},
    reject() {},
  };
  readonly #outcome: Promise<FrontendResult>;

  /** `call` is the build's: what is solved belongs to all who ask, and goes on when one of them leaves. */
  constructor(bridge: BuildBridge, call: Call) {
    this.bridge = bridge;
    this.#call = call;
    this.#outcome = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#outcome.catch(() => {});
  }

  /** Resolves with what the client returns. */
  outcome(): Promise<FrontendResult> {
    return abortable(this.#outcome, this.#call);
  }

  /** A new name for a definition; empty for scratch. */
  hold(definition: Definition | undefined): gateway.Ref {
    if (!definition) return { id: "", def: undefined };
    if (this.#refs.size >= maxRefs)
      throw new KilnError("REQUEST_INVALID", `more than ${maxRefs} results in one build`);
    const id = randomUUID();
    this.#refs.set(id, { definition });
    return { id, def: pb.Definition.decode(encodeDefinition(definition)) };
  }

  /** The files behind a reference, solved now. Throws when the client made the reference up. */
  async files(id: string, call: Call): Promise<ResultRef | undefined> {
    const known = this.#known(id);
    const { definition } = known;
    if (definition) known.solved ??= this.bridge.solve(definition, this.#call);
    const solving = known.solved ?? Promise.resolve(undefined);
    solving.catch(() => {
      delete known.solved;
    });
    return await abortable(solving, call);
  }

  /** A frontend's result as the client gets it, its parts held. */
  resultMessage(result: FrontendResult): gateway.Result {
    const metadata = new Map<string, Uint8Array>();
    const text = new TextEncoder();
    for (const [key, value] of Object.entries(result.metadata))
      metadata.set(key, text.encode(value));
    const suffix = ({ id }: PlatformResult) => (result.multiPlatform ? `/${id}` : "");
    for (const one of result.platforms) {
      metadata.set(`${configKey}${suffix(one)}`, text.encode(JSON.stringify(one.config)));
      if (one.baseConfig)
        metadata.set(`${baseConfigKey}${suffix(one)}`, text.encode(JSON.stringify(one.baseConfig)));
      if (one.epoch) {
        const seconds = String(Math.floor(one.epoch.getTime() / 1000));
        metadata.set(`${epochKey}${suffix(one)}`, text.encode(seconds));
      }
    }
    const Platforms = result.platforms.map(({ id, platform }) => {
      const { os, architecture, variant, osVersion, osFeatures } = platform;
      const rest = { variant, "os.version": osVersion, "os.features": osFeatures };
      return { ID: id, Platform: { architecture, os, ...rest } };
    });
    if (Platforms.length > 0)
      metadata.set(platformsKey, text.encode(JSON.stringify({ Platforms })));
    const held = result.platforms.map((one) => [one.id, this.hold(one.definition)] as const);
    const [first] = held;
    const refs: gateway.Result["result"] = result.multiPlatform
      ? { $case: "refs", value: { refs: new Map(held) } }
      : first && { $case: "ref", value: first[1] };
    return gateway.Result.create({ metadata, ...(refs ? { result: refs } : {}) });
  }

  /** The build's own. */
  get call(): Call {
    return this.#call;
  }

  /** Opens a container under a name. Throws when the name is taken. */
  async openContainer(id: string, open: () => Promise<Container>): Promise<void> {
    if (id === "" || this.#containers.has(id))
      throw new KilnError("REQUEST_INVALID", `container ${JSON.stringify(id)} exists already`);
    const opening = open();
    this.#containers.set(id, opening);
    try {
      this.#open.set(id, await opening);
    } catch (error) {
      this.#containers.delete(id);
      throw error;
    }
  }

  /** Throws when there is none of that name. */
  container(id: string): Container {
    const found = this.#open.get(id);
    if (found) return found;
    throw new KilnError("REQUEST_INVALID", `no container ${JSON.stringify(id)}`);
  }

  async releaseContainer(id: string): Promise<void> {
    const found = this.container(id);
    this.#open.delete(id);
    this.#containers.delete(id);
    await found[Symbol.asyncDispose]();
  }

  /** What a failed step left, under names that containers can be made of; the last that failed. */
  failure(): errdefs.Solve | undefined {
    const failed = this.bridge.failures().at(-1);
    if (!failed) return undefined;
    const known = this.#failures.get(failed);
    if (known) return known;
    const name = (ref: ResultRef | undefined): string => {
      if (!ref) return "";
      const id = randomUUID();
      this.#refs.set(id, { definition: undefined, solved: Promise.resolve(ref) });
      return id;
    };
    const solve = errdefs.Solve.create({
      inputIDs: failed.inputs.map(name),
      mountIDs: failed.states.map(name),
      op: pb.Op.decode(failed.encoded),
      description: new Map(),
    });
    this.#failures.set(failed, solve);
    return solve;
  }

  /** The client's last word. Later ones are ignored. Throws where it makes no sense. */
  return(result: gateway.Result | undefined, error: rpc.Status | undefined): void {
    if (error && error.code !== 0) {
      this.#settle.reject(new StatusError(error.code, error.message, error.details));
      return;
    }
    this.#settle.resolve(this.#frontendResult(result ?? gateway.Result.create()));
  }

  #known(id: string): Known {
    if (id === "") return { definition: undefined };
    const known = this.#refs.get(id);
    if (known) return known;
    throw new KilnError("REQUEST_INVALID", `no such ref: ${id}`);
  }

  #frontendResult({ result, metadata }: gateway.Result): FrontendResult {
    const refs = refsOf(result);
    const said = readPlatforms(metadata.get(platformsKey));
    const platforms = [...refs].map(([key, id]): PlatformResult => {
      const suffix = key === "" ? "" : `/${key}`;
      const config = readConfig(metadata.get(`${configKey}${suffix}`) ?? metadata.get(configKey));
      const named = key === "" ? said[0] : said.find((one) => one.ID === key);
      const platform = named?.Platform ?? platformOf(config) ?? this.#native();
      const base = readConfig(metadata.get(`${baseConfigKey}${suffix}`));
      const epoch = metadata.get(`${epochKey}${suffix}`);
      return {
        platform,
        id: key === "" ? (named?.ID ?? formatPlatform(platform)) : key,
        definition: this.#known(id).definition,
        config: config ?? emptyConfig(platform),
        ...(base ? { baseConfig: base } : {}),
        ...(epoch ? { epoch: new Date(Number(new TextDecoder().decode(epoch)) * 1000) } : {}),
      };
    });
    return { platforms, multiPlatform: !refs.has(""), metadata: frontendAttrs(metadata) };
  }

  #native(): Platform {
    const [native] = this.bridge.platforms;
    if (!native) throw new Error("no platform can be built here");
    return native;
  }
}

/** Reference by platform; the empty key is the result as such. */
function refsOf(result: gateway.Result["result"]): ReadonlyMap<string, string> {
  switch (result?.$case) {
    case "ref":
      return new Map([["", result.value.id]]);
    case "refDeprecated":
      return new Map([["", result.value]]);
    case "refs":
      return new Map(Array.from(result.value.refs, ([key, { id }]) => [key, id]));
    case "refsDeprecated":
      return result.value.refs;
    default:
      return new Map([["", ""]]);
  }
}

/** What of the metadata is told to whoever asked for the build. */
function frontendAttrs(metadata: ReadonlyMap<string, Uint8Array>): Attrs {
  const text = new TextDecoder();
  return Object.fromEntries(
    [...metadata]
      .filter(([key]) => key.startsWith("frontend."))
      .map(([key, value]) => [key, text.decode(value)]),
  );
}

function parse(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new KilnError("REQUEST_INVALID", `${what} of the result is not JSON`, { cause });
  }
}

function readConfig(bytes: Uint8Array | undefined): ImageConfig | undefined {
  if (!bytes || bytes.length === 0) return undefined;
  const config = parse(bytes, configKey);
  if (!isRecord(config)) throw new KilnError("REQUEST_INVALID", `${configKey} is no object`);
  return { rootfs: { type: "layers", diff_ids: [] }, ...config } as unknown as ImageConfig;
}

function readPlatforms(
  bytes: Uint8Array | undefined,
): readonly { readonly ID: string; readonly Platform: Platform }[] {
  if (!bytes || bytes.length === 0) return [];
  const document = parse(bytes, platformsKey);
  const list = isRecord(document) ? document["Platforms"] : undefined;
  const isEntry = (one: unknown) =>
    isRecord(one) &&
    typeof one["ID"] === "string" &&
    isRecord(one["Platform"]) &&
    typeof one["Platform"]["os"] === "string" &&
    typeof one["Platform"]["architecture"] === "string";
  if (Array.isArray(list) && list.every(isEntry)) return list;
  throw new KilnError("REQUEST_INVALID", `${platformsKey} of the result does not list platforms`);
}

function platformOf(config: ImageConfig | undefined): Platform | undefined {
  if (!config?.os || !config.architecture) return undefined;
  const { os, architecture, variant } = config;
  return { os, architecture, ...(variant ? { variant } : {}) };
}

function emptyConfig({ os, architecture, variant }: Platform): ImageConfig {
  return {
    os,
    architecture,
    ...(variant ? { variant } : {}),
    rootfs: { type: "layers", diff_ids: [] },
  };
}
