// `RUN --mount=type=cache`: directories that outlive the step, by id and platform, shared as the step says.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { AsyncStack, type Call } from "../../base/index.ts";
import type { ExecMount as LlbMount } from "../../formats/llb/index.ts";
import { formatPlatform, type Platform } from "../../formats/oci/index.ts";
import { createNamedLocks, type Kept } from "../../storage/kept/index.ts";
import { removeTree } from "../../storage/snapshot/index.ts";
import { copyInto } from "./file/copy.ts";
import type { OpResult } from "./result.ts";
import { withView } from "./views.ts";

/** As LLB has it. */
type Sharing = "shared" | "private" | "locked";

/** One cache mount of a step, with the files that it begins with. */
export interface CacheMount {
  readonly mount: LlbMount;
  readonly base: OpResult;
  /** The build that ignores what is cached: in it, the directory begins anew once, unless another step uses it then. */
  readonly anewFor?: object;
}

/** Directories lent to one step, in the order they were asked for; disposing gives them back. */
export interface HeldCacheMounts extends AsyncDisposable {
  readonly paths: readonly string[];
}

export interface CacheMounts {
  /** `waits` is told, in words, what the step has to wait for. */
  hold(
    mounts: readonly CacheMount[],
    platform: Platform,
    waits: (message: string) => void,
    call: Call,
  ): Promise<HeldCacheMounts>;
}

/** Package managers that fail, or damage their files, when two of them work in these at once. */
const packageDirectories: ReadonlySet<string> = new Set([
  "/etc/apk/cache",
  "/var/cache/apk",
  "/var/cache/apt",
  "/var/cache/apt/archives",
  "/var/cache/dnf",
  "/var/cache/yum",
  "/var/lib/apt",
  "/var/lib/apt/lists",
  "/var/lib/dnf",
  "/var/lib/dpkg",
]);

/** A package manager's directory is used by one step at a time, unless the step has one of its own. */
export function sharingOf({ cache, target }: Pick<LlbMount, "cache" | "target">): Sharing {
  const wanted = cache?.sharing ?? "shared";
  return wanted === "shared" && packageDirectories.has(target) ? "locked" : wanted;
}

interface Wanted extends CacheMount {
  /** Place in the list that was asked for. */
  readonly at: number;
  readonly name: string;
  readonly sharing: Sharing;
}

/**
 * Keeps cache mounts in `kept` (lent). A directory's name is a hash of id, platform and base, so nothing that a
 * Dockerfile says can become a path, and package managers of two processors never share one. A mount's selector is not
 * looked up here: what a step did to the directory must not lead out of it, which the executor sees to.
 */
export function openCacheMounts(kept: Kept): CacheMounts {
  const { directory } = kept;
  const locks = createNamedLocks(join(directory, ".locks"));
  /** Names that have begun anew, by build. */
  const begun = new WeakMap<object, Set<string>>();

  async function prepared(name: string, { mount, base }: Wanted, platform: Platform, call: Call) {
    kept.use(name, descriptionOf(mount, platform));
    const path = join(directory, name);
    if (existsSync(path)) return path;
    using _ = await locks.hold(`${name}.new`, "locked", () => {}, call);
    if (existsSync(path)) return path;
    const temporary = kept.temporary();
    mkdirSync(temporary, { recursive: true, mode: 0o755 });
    if (base) {
      const everything = {
        followSymlink: false,
        copyDirectoryContents: true,
        replaceExisting: false,
      };
      await withView(base, call, (view) => copyInto(view, "/", temporary, "/", everything, call));
    }
    renameSync(temporary, path);
    return path;
  }

  /** What earlier builds left there goes, as BuildKit has it for steps that ignore the cache. */
  async function beginAnew(name: string, build: object): Promise<void> {
    const known = begun.get(build) ?? new Set();
    begun.set(build, known);
    if (known.has(name)) return;
    known.add(name);
    using lock = locks.tryHold(name);
    const path = join(directory, name);
    if (!lock || !existsSync(path)) return;
    const away = kept.temporary();
    renameSync(path, away);
    await removeTree(away);
  }

  /** The first of `name`, `name-1`, ... that no other step holds. */
  function firstFree(name: string): { readonly name: string; readonly lock: Disposable } {
    for (let n = 0; ; n++) {
      const candidate = n === 0 ? name : `${name}-${n}`;
      const lock = locks.tryHold(candidate);
      if (lock) return { name: candidate, lock };
    }
  }

  return {
    async hold(mounts, platform, waits, call) {
      await using stack = new AsyncStack();
      const paths: string[] = [];
      for (const group of inLockOrder(mounts, platform)) {
        const [first] = group;
        if (first === undefined) continue;
        let { name } = first;
        if (first.anewFor) await beginAnew(name, first.anewFor);
        if (first.sharing === "private") {
          const free = firstFree(name);
          stack.use(free.lock);
          name = free.name;
        } else {
          const message = `waiting for the cache mount ${first.mount.target}, which another step uses`;
          stack.use(await locks.hold(name, first.sharing, () => waits(message), call));
        }
        const path = await prepared(name, first, platform, call);
        for (const { at } of group) paths[at] = path;
      }
      const owned = stack.move();
      return {
        paths,
        [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
      };
    },
  };
}

/**
 * Every step takes its locks in the same order, so that no two wait for each other; mounts of the same directory share
 * one, which is as strict as the strictest of them.
 */
function inLockOrder(
  mounts: readonly CacheMount[],
  platform: Platform,
): readonly (readonly Wanted[])[] {
  const groups = new Map<string, Wanted[]>();
  for (const [at, { mount, base, anewFor }] of mounts.entries()) {
    const name = nameOf(mount, base, platform);
    const wanted = { at, mount, base, name, sharing: sharingOf(mount), ...anew(anewFor) };
    groups.set(name, [...(groups.get(name) ?? []), wanted]);
  }
  const strict: readonly Sharing[] = ["private", "locked", "shared"];
  return [...groups.values()]
    .map((group) => group.toSorted((a, b) => strict.indexOf(a.sharing) - strict.indexOf(b.sharing)))
    .sort(([a], [b]) => ((a?.name ?? "") < (b?.name ?? "") ? -1 : 1));
}

function anew(anewFor: object | undefined): Pick<CacheMount, "anewFor"> {
  return anewFor ? { anewFor } : {};
}

function descriptionOf(mount: LlbMount, platform: Platform): string {
  const id = mount.cache?.id || mount.target;
  return `cached mount ${mount.target} with id ${JSON.stringify(id)} for ${formatPlatform(platform)}`;
}

function nameOf(mount: LlbMount, base: OpResult, platform: Platform): string {
  const id = mount.cache?.id || mount.target;
  const parts = [id, formatPlatform(platform), base?.id ?? ""];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}
