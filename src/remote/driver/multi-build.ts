// One build over several nodes: each builds its platforms, and the images are joined into one.
import type {
  Attrs,
  Build,
  BuildEvent,
  BuildRequest,
  BuildResult,
  Session,
} from "../../api/index.ts";
import {
  type Call,
  digestHex,
  digestOf,
  EventQueue,
  isAbortError,
  KilnError,
  runAll,
  wrap,
} from "../../base/index.ts";
import {
  type Descriptor,
  formatPlatform,
  hostPlatform,
  type Platform,
  parseDescriptor,
  parsePlatformList,
} from "../../formats/oci/index.ts";
import {
  checkExports,
  descriptorAnnotations,
  indexAnnotations,
  nodeExports,
  pushedNames,
} from "./multi-exports.ts";
import { eventsOfNode } from "./node-events.ts";
import type { MultiNode, NodePool } from "./node-pool.ts";

/**
 * Joins images that lie under `names`' repositories by digest into one index with `annotations`, and gives it the names.
 * Annotations of the images' descriptors are those of its entries.
 */
export type JoinImages = (
  names: readonly string[],
  images: readonly Descriptor[],
  annotations: Readonly<Record<string, string>>,
  call: Call,
) => Promise<Descriptor>;

export interface MultiBuildOptions {
  readonly join: JoinImages;
  readonly now: () => Date;
}

/** What one node did. */
interface NodeResult {
  readonly node: string;
  readonly platforms: readonly Platform[];
  readonly result: BuildResult;
}

/** What is asked of a node: `single` is the whole request as it is, after which nothing is joined. */
interface Asked {
  readonly request: BuildRequest;
  readonly session: Session;
  readonly single: boolean;
}

/** One build; to be started once. */
export class MultiBuild {
  readonly #pool: NodePool;
  readonly #options: MultiBuildOptions;
  readonly #events = new EventQueue<BuildEvent>();

  constructor(pool: NodePool, options: MultiBuildOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  start(request: BuildRequest, session: Session, call: Call): Build {
    const result = this.#run(request, session, call).finally(() => this.#events.end());
    // Who reads the events hears of a failure from the result.
    result.catch(() => undefined);
    return { events: this.#events, result };
  }

  async #run(request: BuildRequest, session: Session, call: Call): Promise<BuildResult> {
    const parts = await this.#share(request, platformsOf(request), call);
    const results = await this.#buildAll(
      parts,
      { request, session, single: parts.size <= 1 },
      call,
    );
    const [first] = results;
    if (results.length > 1) return await this.#join(request, results, call);
    return first?.result ?? { exporterResponse: {} };
  }

  /** Who drives a build has one result before him: all of it is one node's, where one can build all of it. */
  async #share(
    { drive }: BuildRequest,
    platforms: readonly Platform[],
    call: Call,
  ): Promise<ReadonlyMap<MultiNode, readonly Platform[]>> {
    const parts = await this.#pool.share(platforms, call);
    const one = drive && parts.size > 1 ? await this.#pool.together(platforms, call) : undefined;
    return one ? new Map([[one, platforms]]) : parts;
  }

  async #buildAll(
    parts: ReadonlyMap<MultiNode, readonly Platform[]>,
    asked: Asked,
    call: Call,
  ): Promise<readonly NodeResult[]> {
    if (!asked.single) checkShared(asked.request);
    const build = ([node, own]: readonly [MultiNode, readonly Platform[]], inner: Call) =>
      this.#buildOn(node, own, asked, inner);
    return (await runAll([...parts], build, call)).flat();
  }

  /** Builds there; when the node dies, on another that can. */
  async #buildOn(
    node: MultiNode,
    platforms: readonly Platform[],
    asked: Asked,
    call: Call,
  ): Promise<readonly NodeResult[]> {
    const { request, session, single } = asked;
    const pool = this.#pool;
    try {
      const builder = await pool.open(node, call);
      const part = single ? request : partOf(request, platforms, node.name);
      const build = builder.build(part, session, call);
      const events = single ? build.events : eventsOfNode(build.events, node.name);
      const [, result] = await Promise.all([this.#pass(events), build.result]);
      return [{ node: node.name, platforms, result }];
    } catch (error) {
      if (call.signal.aborted || isAbortError(error)) throw error;
      if (!(await pool.isDead(node, error, call)))
        throw single ? error : wrap(error, pool.words(node));
      pool.bury(node, error);
      this.#say(`node ${node.name} is gone (${messageOf(error)}): its part goes to another`);
      const parts = await this.#share(request, platforms, call);
      return await this.#buildAll(parts, { ...asked, single: single && parts.size <= 1 }, call);
    }
  }

  #say(message: string): void {
    this.#events.push({ type: "warning", warning: { message }, at: this.#options.now() });
  }

  async #pass(events: AsyncIterable<BuildEvent>): Promise<void> {
    for await (const event of events) this.#events.push(event);
  }

  async #join(
    request: BuildRequest,
    results: readonly NodeResult[],
    call: Call,
  ): Promise<BuildResult> {
    const { exporters } = request;
    const response: Record<string, string> = Object.assign(
      {},
      ...results.map(({ result }) => result.exporterResponse),
    );
    const names = pushedNames(exporters);
    const places = results.flatMap(({ result }) => result.places ?? []);
    if (names.length === 0) return { exporterResponse: response, places };
    const images = results.map((one) => imageOf(one, exporters));
    const descriptor = await this.#step(`merging manifest list ${names.join(", ")}`, () =>
      this.#options.join(names, images, indexAnnotations(exporters), call),
    );
    return {
      exporterResponse: {
        ...response,
        "containerimage.digest": descriptor.digest,
        "image.name": names.join(","),
      },
      descriptor,
      places,
    };
  }

  async #step<T>(name: string, work: () => Promise<T>): Promise<T> {
    const about = { type: "step", step: digestOf(name), name } as const;
    this.#events.push({ ...about, at: this.#options.now(), state: "started" });
    try {
      const done = await work();
      this.#events.push({ ...about, at: this.#options.now(), state: "done" });
      return done;
    } catch (error) {
      const failed = { state: "failed", error: messageOf(error) } as const;
      this.#events.push({ ...about, at: this.#options.now(), ...failed });
      throw error;
    }
  }
}

/** Throws `UNSUPPORTED` for what several nodes cannot do together. */
function checkShared({ exporters, drive }: BuildRequest): void {
  checkExports(exporters);
  if (drive)
    throw new KilnError(
      "UNSUPPORTED",
      "a build that several nodes would have to share cannot be driven or entered",
      {
        hint: "No node offers all of its platforms: enter it for platforms that one node has.",
      },
    );
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

/** What a node pushed. An image by itself has the annotations that its entry in the index is to have. */
function imageOf(
  { node, platforms, result }: NodeResult,
  exporters: BuildRequest["exporters"],
): Descriptor {
  const descriptor = pushedImage(result, node);
  const [platform, second] = platforms;
  if (!platform || second || /\.index\.|manifest\.list/.test(descriptor.mediaType))
    return descriptor;
  const annotations = {
    ...descriptor.annotations,
    ...descriptorAnnotations(exporters, formatPlatform(platform)),
  };
  return Object.keys(annotations).length === 0 ? descriptor : { ...descriptor, annotations };
}

function pushedImage({ descriptor, exporterResponse }: BuildResult, node: string): Descriptor {
  if (descriptor) return descriptor;
  const text = exporterResponse["containerimage.descriptor"];
  if (text) return parseDescriptor(JSON.parse(atob(text)), "containerimage.descriptor");
  throw new KilnError("BUILDER_FAILED", `node ${node} pushed an image and did not say which`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
