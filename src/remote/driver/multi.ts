// Several nodes as one builder: platforms go to the nodes that fit them best, and the images are joined into one.
import type {
  Attrs,
  Build,
  BuildEvent,
  Builder,
  BuilderInfo,
  BuildRequest,
  BuildResult,
  PruneFilter,
  Session,
  UsageRecord,
} from "../../api/index.ts";
import {
  type Call,
  digestHex,
  digestOf,
  isAbortError,
  isKilnError,
  KilnError,
  runAll,
  wrap,
} from "../../base/index.ts";
import {
  type Descriptor,
  formatPlatform,
  hostPlatform,
  type Platform,
  parsePlatformList,
} from "../../formats/oci/index.ts";
import { EventFunnel } from "./event-funnel.ts";
import { checkExports, nodeExports, pushedNames } from "./multi-exports.ts";
import { type NodeOffer, nodesFor } from "./node-choice.ts";

/** One node; its builder is opened when it is first needed. */
export interface MultiNode {
  readonly name: string;
  readonly pinned: readonly Platform[];
  open(call: Call): Promise<Builder>;
}

/** Joins images that lie under `names`' repositories by digest into one index, and gives it the names. */
export type JoinImages = (
  names: readonly string[],
  images: readonly Descriptor[],
  call: Call,
) => Promise<Descriptor>;

export interface MultiOptions {
  /** The builder's name, for messages. */
  readonly name: string;
  readonly join: JoinImages;
  readonly now: () => Date;
}

/** A builder over `nodes`, of which there is at least one. Disposing it disposes the builders that were opened. */
export function multiBuilder(nodes: readonly MultiNode[], options: MultiOptions): Builder {
  const opened = new Map<string, Promise<Builder>>();
  const open = (node: MultiNode, call: Call): Promise<Builder> => {
    const found = opened.get(node.name);
    if (found) return found;
    const opening = node.open(call);
    opened.set(node.name, opening);
    // A node that did not answer may answer later.
    opening.catch(() => opened.delete(node.name));
    return opening;
  };
  const all = (call: Call) =>
    runAll(nodes, async (node) => ({ node, builder: await open(node, call) }), call);
  return {
    info: async (call) =>
      joinInfo(
        options.name,
        await runAll(await all(call), ({ builder }) => builder.info(call), call),
      ),
    build: (request, session, call) =>
      new MultiBuild(nodes, open, options).start(request, session, call),
    diskUsage: async (call) =>
      (await runAll(await all(call), ({ builder }) => builder.diskUsage(call), call)).flat(),
    async *prune(filter: PruneFilter, call: Call): AsyncIterable<UsageRecord> {
      for (const { builder } of await all(call)) yield* builder.prune(filter, call);
    },
    async [Symbol.asyncDispose]() {
      const builders = await Promise.allSettled(opened.values());
      for (const one of builders)
        if (one.status === "fulfilled") await one.value[Symbol.asyncDispose]();
    },
  };
}

function joinInfo(name: string, infos: readonly BuilderInfo[]): BuilderInfo {
  const platforms = new Map(
    infos.flatMap((info) => info.platforms.map((one) => [formatPlatform(one), one] as const)),
  );
  return {
    name,
    version: infos[0]?.version ?? "",
    platforms: [...platforms.values()],
    labels: Object.assign({}, ...infos.map(({ labels }) => labels)),
  };
}

/** How long a node that failed has for showing that it lives, in milliseconds. */
const probeTime = 5000;

/** What one node did. */
interface NodeResult {
  readonly node: string;
  readonly platforms: readonly Platform[];
  readonly result: BuildResult;
}

/** One build over several nodes. */
class MultiBuild {
  readonly #nodes: readonly MultiNode[];
  readonly #open: (node: MultiNode, call: Call) => Promise<Builder>;
  readonly #options: MultiOptions;
  readonly #events = new EventFunnel<BuildEvent>();
  /** Nodes that died in this build, with how. */
  readonly #dead = new Map<string, unknown>();

  constructor(
    nodes: readonly MultiNode[],
    open: (node: MultiNode, call: Call) => Promise<Builder>,
    options: MultiOptions,
  ) {
    this.#nodes = nodes;
    this.#open = open;
    this.#options = options;
  }

  start(request: BuildRequest, session: Session, call: Call): Build {
    const result = this.#run(request, session, call).finally(() => this.#events.end());
    // Who reads the events hears of a failure from the result.
    result.catch(() => undefined);
    return { events: this.#events, result };
  }

  async #run(request: BuildRequest, session: Session, call: Call): Promise<BuildResult> {
    const platforms = platformsOf(request);
    const parts = await this.#share(platforms, call);
    const results = await this.#buildAll(parts, parts.size <= 1, request, session, call);
    const [first] = results;
    if (results.length > 1) return await this.#join(request, results, call);
    return first?.result ?? { exporterResponse: {} };
  }

  /** `single`: the request goes to one node as it is, and nothing is joined. */
  async #buildAll(
    parts: ReadonlyMap<MultiNode, readonly Platform[]>,
    single: boolean,
    request: BuildRequest,
    session: Session,
    call: Call,
  ): Promise<readonly NodeResult[]> {
    if (!single) checkExports(request.exporters);
    const results = await runAll(
      [...parts],
      ([node, own], inner) => this.#buildOn(node, own, single, request, session, inner),
      call,
    );
    return results.flat();
  }

  /** The best living node for each platform. */
  async #share(
    platforms: readonly Platform[],
    call: Call,
  ): Promise<Map<MultiNode, readonly Platform[]>> {
    const parts = new Map<MultiNode, Platform[]>();
    if (platforms.length === 0) {
      const node = this.#alive()[0];
      if (!node) throw this.#noneLeft([]);
      return new Map([[node, []]]);
    }
    const offers = await this.#offers(platforms, call);
    for (const platform of platforms) {
      const living = offers.filter(({ name }) => !this.#dead.has(name));
      if (living.length === 0) throw this.#noneLeft([platform]);
      const [best] = nodesFor(living, platform, this.#options.name);
      const node = this.#nodes.find(({ name }) => name === best?.name);
      if (node) parts.set(node, [...(parts.get(node) ?? []), platform]);
    }
    return parts;
  }

  /** Nodes are only asked, and so started, when pinned platforms do not settle the matter. */
  async #offers(platforms: readonly Platform[], call: Call): Promise<readonly NodeOffer[]> {
    const unasked = this.#alive().map(({ name, pinned }) => ({ name, pinned, offered: undefined }));
    try {
      for (const platform of platforms) nodesFor(unasked, platform, this.#options.name);
      return unasked;
    } catch {
      return await runAll(this.#alive(), (node, inner) => this.#ask(node, inner), call);
    }
  }

  async #ask(node: MultiNode, call: Call): Promise<NodeOffer> {
    const { name, pinned } = node;
    try {
      const builder = await this.#open(node, call);
      return { name, pinned, offered: (await builder.info(call)).platforms };
    } catch (error) {
      if (call.signal.aborted || !isDeath(error)) throw this.#named(node, error);
      this.#dead.set(name, error);
      return { name, pinned, offered: undefined };
    }
  }

  #alive(): readonly MultiNode[] {
    return this.#nodes.filter(({ name }) => !this.#dead.has(name));
  }

  #noneLeft(platforms: readonly Platform[]): KilnError {
    const what = platforms.length === 0 ? "the build" : platforms.map(formatPlatform).join(", ");
    const [name, cause] = [...this.#dead].at(-1) ?? [];
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    return new KilnError(
      "BUILDER_UNREACHABLE",
      `no node of builder ${this.#options.name} is left for ${what}; the last was ${name}${why}`,
      { hint: `See how its nodes are: kiln inspect ${this.#options.name}` },
    );
  }

  /** Builds there; when the node dies, on another that can. */
  async #buildOn(
    node: MultiNode,
    platforms: readonly Platform[],
    single: boolean,
    request: BuildRequest,
    session: Session,
    call: Call,
  ): Promise<readonly NodeResult[]> {
    try {
      const builder = await this.#open(node, call);
      const part = single ? request : partOf(request, platforms, node.name);
      const build = builder.build(part, session, call);
      const prefix = single ? undefined : node.name;
      const [, result] = await Promise.all([this.#pass(build.events, prefix), build.result]);
      return [{ node: node.name, platforms, result }];
    } catch (error) {
      if (call.signal.aborted || isAbortError(error)) throw error;
      if (!(await this.#isDead(node, error, call))) throw single ? error : this.#named(node, error);
      this.#dead.set(node.name, error);
      this.#say(`node ${node.name} is gone (${messageOf(error)}): its part goes to another`);
      const parts = await this.#share(platforms, call);
      return await this.#buildAll(parts, single && parts.size <= 1, request, session, call);
    }
  }

  /** A node that failed a build still answers; one that is gone does not. */
  async #isDead(node: MultiNode, error: unknown, call: Call): Promise<boolean> {
    if (isDeath(error)) return true;
    const limited = { signal: AbortSignal.any([call.signal, AbortSignal.timeout(probeTime)]) };
    try {
      const builder = await this.#open(node, limited);
      await builder.info(limited);
      return false;
    } catch {
      call.signal.throwIfAborted();
      return true;
    }
  }

  #named(node: MultiNode, error: unknown): unknown {
    return wrap(error, `node ${node.name} of builder ${this.#options.name}`);
  }

  #say(message: string): void {
    this.#events.push({ type: "warning", warning: { message }, at: this.#options.now() });
  }

  /** Equal steps of different nodes are different steps to who watches. */
  async #pass(events: AsyncIterable<BuildEvent>, node: string | undefined): Promise<void> {
    const own = (step: Parameters<typeof digestOf>[0]) => digestOf(`${node}\0${String(step)}`);
    for await (const event of events) {
      if (node === undefined) this.#events.push(event);
      else if (event.type === "step") {
        this.#events.push({
          ...event,
          step: own(event.step),
          name: nodeName(node, event.name),
          ...(event.inputs ? { inputs: event.inputs.map(own) } : {}),
          ...(event.group ? { group: { ...event.group, id: `${node}\0${event.group.id}` } } : {}),
        });
      } else if (event.step === undefined) this.#events.push(event);
      else this.#events.push({ ...event, step: own(event.step) } as BuildEvent);
    }
  }

  async #join(
    request: BuildRequest,
    results: readonly NodeResult[],
    call: Call,
  ): Promise<BuildResult> {
    const response: Record<string, string> = Object.assign(
      {},
      ...results.map(({ result }) => result.exporterResponse),
    );
    const places = results.flatMap(({ result }) => result.places ?? []);
    const names = pushedNames(request.exporters);
    if (names.length === 0) return { exporterResponse: response, places };
    const images = results.map(({ node, result }) => imageOf(result, node));
    const step = digestOf(`join ${names.join(",")}`);
    const about = {
      type: "step",
      step,
      name: `merging manifest list ${names.join(", ")}`,
    } as const;
    this.#events.push({ ...about, at: this.#options.now(), state: "started" });
    try {
      const descriptor = await this.#options.join(names, images, call);
      this.#events.push({ ...about, at: this.#options.now(), state: "done" });
      return {
        exporterResponse: {
          ...response,
          "containerimage.digest": descriptor.digest,
          "image.name": names.join(","),
        },
        descriptor,
        places,
      };
    } catch (error) {
      this.#events.push({
        ...about,
        at: this.#options.now(),
        state: "failed",
        error: messageOf(error),
      });
      throw error;
    }
  }
}

function platformsOf({ attrs }: BuildRequest): readonly Platform[] {
  const text = attrs["platform"] ?? "";
  return text === "" ? [] : parsePlatformList(text, hostPlatform(process.arch));
}

/** The request for some of its platforms: outputs that can be joined afterwards. */
function partOf(request: BuildRequest, platforms: readonly Platform[], node: string): BuildRequest {
  const attrs: Attrs = { ...request.attrs, platform: platforms.map(formatPlatform).join(",") };
  return {
    ...request,
    // A node may get a second part, of one that died.
    ref: partRef(`${request.ref}\0${node}\0${attrs["platform"]}`),
    attrs,
    exporters: nodeExports(request.exporters),
  };
}

/** A name of the form that builds have: 25 characters of base 36. */
function partRef(text: string): string {
  return BigInt(`0x${digestHex(digestOf(text))}`)
    .toString(36)
    .padStart(25, "0")
    .slice(-25);
}

/** `[linux/arm64 2/3] RUN` on node a is `[a linux/arm64 2/3] RUN`. */
function nodeName(node: string, name: string): string {
  return name.startsWith("[") ? `[${node} ${name.slice(1)}` : `[${node}] ${name}`;
}

function imageOf({ descriptor, exporterResponse }: BuildResult, node: string): Descriptor {
  if (descriptor) return descriptor;
  const text = exporterResponse["containerimage.descriptor"];
  if (text) {
    const parsed: unknown = JSON.parse(atob(text));
    return parsed as Descriptor;
  }
  throw new KilnError("BUILDER_FAILED", `node ${node} pushed an image and did not say which`);
}

/** The node is gone, rather than that it failed to build. */
function isDeath(error: unknown): boolean {
  return (
    isKilnError(error) && (error.code === "BUILDER_UNREACHABLE" || error.code === "BUILDER_FAILED")
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
