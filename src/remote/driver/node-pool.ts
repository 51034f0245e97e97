// The nodes of one build: which live, what they offer, and which of them builds what.
import type { Builder } from "../../api/index.ts";
import { type Call, isKilnError, KilnError, runAll, wrap } from "../../base/index.ts";
import { formatPlatform, type Platform } from "../../formats/oci/index.ts";
import { fitness, type NodeOffer, nodesFor } from "./node-choice.ts";

/** One node; its builder is opened when it is first needed. */
export interface MultiNode {
  readonly name: string;
  readonly pinned: readonly Platform[];
  open(call: Call): Promise<Builder>;
}

/** How long a node that failed has for showing that it lives, in milliseconds. */
const probeTime = 5000;

export class NodePool {
  readonly #nodes: readonly MultiNode[];
  readonly #open: (node: MultiNode, call: Call) => Promise<Builder>;
  readonly #builder: string;
  /** Nodes that died in this build, with how. */
  readonly #dead = new Map<string, unknown>();

  /** `builder` is its name, for messages. */
  constructor(
    nodes: readonly MultiNode[],
    open: (node: MultiNode, call: Call) => Promise<Builder>,
    builder: string,
  ) {
    this.#nodes = nodes;
    this.#open = open;
    this.#builder = builder;
  }

  /** The builder of one node; one that cannot be opened may be dead. */
  open(node: MultiNode, call: Call): Promise<Builder> {
    return this.#open(node, call);
  }

  /**
   * The best living node for each platform; what none offers goes to the first, as the reference has it: what runs nothing
   * can be built anywhere. Throws `BUILDER_UNREACHABLE` when no node lives.
   */
  async share(
    platforms: readonly Platform[],
    call: Call,
  ): Promise<ReadonlyMap<MultiNode, readonly Platform[]>> {
    const parts = new Map<MultiNode, Platform[]>();
    if (platforms.length === 0) return new Map([[this.#first([]), []]]);
    const offers = await this.#offers(platforms, call);
    for (const platform of platforms) {
      const living = offers.filter(({ name }) => !this.#dead.has(name));
      const best = living.length === 0 ? undefined : nodesFor(living, platform)[0];
      const node = this.#nodes.find(({ name }) => name === best?.name) ?? this.#first([platform]);
      parts.set(node, [...(parts.get(node) ?? []), platform]);
    }
    return parts;
  }

  /** The living node that can build all of the platforms, best first by all of them; undefined where none can. */
  async together(platforms: readonly Platform[], call: Call): Promise<MultiNode | undefined> {
    const offers = await runAll(this.#alive(), (node, inner) => this.#ask(node, inner), call);
    const able = offers.flatMap((offer) => {
      const each = platforms.map((platform) => fitness(offer, platform));
      const known = each.filter((one) => one !== undefined);
      if (known.length < each.length || this.#dead.has(offer.name)) return [];
      return [{ name: offer.name, sum: known.reduce((sum, one) => sum + one, 0) }];
    });
    const [best] = able.sort((a, b) => a.sum - b.sum);
    return this.#nodes.find(({ name }) => name === best?.name);
  }

  /** What a failure of the node is told of. */
  words(node: MultiNode): string {
    return `node ${node.name} of builder ${this.#builder}`;
  }

  /** It gets nothing more of this build. */
  bury(node: MultiNode, cause: unknown): void {
    this.#dead.set(node.name, cause);
  }

  /** A node that failed a build still answers; one that is gone does not. */
  async isDead(node: MultiNode, error: unknown, call: Call): Promise<boolean> {
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

  /** Nodes are only asked, and so started, when pinned platforms do not settle the matter. */
  async #offers(platforms: readonly Platform[], call: Call): Promise<readonly NodeOffer[]> {
    const unasked = this.#alive().map(({ name, pinned }) => ({ name, pinned, offered: undefined }));
    if (platforms.every((platform) => nodesFor(unasked, platform).length > 0)) return unasked;
    return await runAll(this.#alive(), (node, inner) => this.#ask(node, inner), call);
  }

  async #ask(node: MultiNode, call: Call): Promise<NodeOffer> {
    const { name, pinned } = node;
    try {
      const builder = await this.#open(node, call);
      return { name, pinned, offered: (await builder.info(call)).platforms };
    } catch (error) {
      if (call.signal.aborted || !isDeath(error)) throw wrap(error, this.words(node));
      this.bury(node, error);
      return { name, pinned, offered: undefined };
    }
  }

  #alive(): readonly MultiNode[] {
    return this.#nodes.filter(({ name }) => !this.#dead.has(name));
  }

  #first(platforms: readonly Platform[]): MultiNode {
    const [first] = this.#alive();
    if (first) return first;
    const what = platforms.length === 0 ? "the build" : platforms.map(formatPlatform).join(", ");
    const [name, cause] = [...this.#dead].at(-1) ?? [];
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    throw new KilnError(
      "BUILDER_UNREACHABLE",
      `no node of builder ${this.#builder} is left for ${what}; the last was ${name}${why}`,
      { hint: `See how its nodes are: kiln inspect ${this.#builder}` },
    );
  }
}

/** The node is gone, rather than that it failed to build. */
function isDeath(error: unknown): boolean {
  return (
    isKilnError(error) && (error.code === "BUILDER_UNREACHABLE" || error.code === "BUILDER_FAILED")
  );
}
