// Several nodes as one builder: what is asked of all of them, and builds that they share.
import type { Builder, BuilderInfo, PruneFilter, UsageRecord } from "../../api/index.ts";
import { type Call, runAll } from "../../base/index.ts";
import { formatPlatform } from "../../formats/oci/index.ts";
import { type JoinImages, MultiBuild } from "./multi-build.ts";
import { type MultiNode, NodePool } from "./node-pool.ts";

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
      new MultiBuild(new NodePool(nodes, open, options.name), options).start(
        request,
        session,
        call,
      ),
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
