// Which attributes a service's `build` may have.
import { KilnError } from "../../../base/index.ts";

/** What the specification of Compose has below `build`. */
const buildKeys: ReadonlySet<string> = new Set([
  "additional_contexts",
  "args",
  "cache_from",
  "cache_to",
  "context",
  "dockerfile",
  "dockerfile_inline",
  "entitlements",
  "extra_hosts",
  "isolation",
  "labels",
  "network",
  "no_cache",
  "no_cache_filter",
  "platforms",
  "privileged",
  "provenance",
  "pull",
  "sbom",
  "secrets",
  "shm_size",
  "ssh",
  "tags",
  "target",
  "ulimits",
]);

/** Throws `BAKE_INVALID` for an attribute that is neither Compose's nor an extension (`x-…`). */
export function checkBuildKeys(service: string, build: Readonly<Record<string, unknown>>): void {
  const unknown = Object.keys(build).find((key) => !key.startsWith("x-") && !buildKeys.has(key));
  if (unknown === undefined) return;
  throw new KilnError(
    "BAKE_INVALID",
    `services.${service}.build additional properties '${unknown}' not allowed`,
  );
}
