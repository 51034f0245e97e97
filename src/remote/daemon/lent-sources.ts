// Directories in what a frontend made of them: they stay this client's when another build is given the definition.
import type { BuildBridge } from "../../api/index.ts";
import { replaceSources } from "../../formats/llb/index.ts";

/** The same bridge; definitions of frontends name the session that lends their directories (`local.session`). */
export function lendingBridge(bridge: BuildBridge, sessionId: string): BuildBridge {
  if (sessionId === "") return bridge;
  return {
    ...bridge,
    under: (policies) => lendingBridge(bridge.under(policies), sessionId),
    async frontend(request, call) {
      const found = await bridge.frontend(request, call);
      const platforms = await Promise.all(
        found.platforms.map(async (one) => {
          const { definition } = one;
          if (!definition) return one;
          const named = await replaceSources(definition, async (source) => {
            const { identifier, attrs } = source;
            if (!identifier.startsWith("local://") || attrs["local.session"]) return source;
            // The session tells directories of the same name apart.
            const { "local.unique": _, ...rest } = attrs;
            return { identifier, attrs: { ...rest, "local.session": sessionId } };
          });
          return { ...one, definition: named };
        }),
      );
      return { ...found, platforms };
    },
  };
}
