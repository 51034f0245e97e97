// Which capabilities a process needs of the builder.
import type { MountSpec, RunOptions, SecretSpec } from "./exec.ts";

/** What processes may need, sorted. A set of these is a number with a bit for each: few sets are ever met. */
const capabilities = [
  "exec.meta.base",
  "exec.meta.cdi",
  "exec.meta.network",
  "exec.meta.proxyenv",
  "exec.meta.security",
  "exec.meta.setsdefaultpath",
  "exec.meta.ulimit",
  "exec.mount.bind",
  "exec.mount.cache",
  "exec.mount.cache.sharing",
  "exec.mount.secret",
  "exec.mount.selector",
  "exec.mount.ssh",
  "exec.mount.tmpfs",
  "exec.mount.tmpfs.size",
  "exec.secretenv",
  "exec.validexitcode",
] as const;

type Capability = (typeof capabilities)[number];

const bits: ReadonlyMap<Capability, number> = new Map(
  capabilities.map((capability, at) => [capability, 1 << at]),
);
const listsBySet = new Map<number, readonly string[]>();

/** The set with some more where they are needed. */
function withCaps(set: number, needed: unknown, ...caps: readonly Capability[]): number {
  if (!needed) return set;
  let more = set;
  for (const capability of caps) more |= bits.get(capability) ?? 0;
  return more;
}

/** The capabilities, sorted; equal sets are the same list. */
export function capsOf(mounts: readonly MountSpec[], options: RunOptions): readonly string[] {
  const { secrets, network = "sandbox", security = "sandbox" } = options;
  let set = withCaps(0, true, "exec.meta.base", "exec.meta.setsdefaultpath");
  for (const { selector, cache, tmpfs, source } of mounts) {
    set = withCaps(set, selector, "exec.mount.selector");
    if (cache) set = withCaps(set, true, "exec.mount.cache", "exec.mount.cache.sharing");
    else if (tmpfs) {
      set = withCaps(set, true, "exec.mount.tmpfs");
      set = withCaps(set, tmpfs.size > 0, "exec.mount.tmpfs.size");
    } else set = withCaps(set, source, "exec.mount.bind");
  }
  set = withCaps(set, secrets?.length, "exec.mount.secret");
  set = withCaps(set, secrets?.some(isVariable), "exec.secretenv");
  set = withCaps(set, options.ssh?.length, "exec.mount.ssh");
  set = withCaps(set, options.proxyEnv, "exec.meta.proxyenv");
  set = withCaps(set, network !== "sandbox", "exec.meta.network");
  set = withCaps(set, security !== "sandbox", "exec.meta.security");
  set = withCaps(set, options.ulimits?.length, "exec.meta.ulimit");
  set = withCaps(set, options.devices?.length, "exec.meta.cdi");
  set = withCaps(set, options.validExitCodes?.length, "exec.validexitcode");
  let list = listsBySet.get(set);
  if (list === undefined) {
    list = capabilities.filter((_, at) => (set & (1 << at)) !== 0);
    listsBySet.set(set, list);
  }
  return list;
}

function isVariable({ env }: SecretSpec): boolean {
  return env !== undefined;
}
