// `RUN --mount=type=cache`: directories that outlive the step, by id and platform, shared as the step says.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { AsyncStack, type Call, Limiter } from "../../base/index.ts";
import type { ExecMount as LlbMount } from "../../formats/llb/index.ts";
import { formatPlatform, type Platform } from "../../formats/oci/index.ts";
import type { Kept } from "../../storage/kept/index.ts";
import { copyInto } from "./file/copy.ts";
import type { OpResult } from "./result.ts";
import { withView } from "./views.ts";

/** A directory lent to one step; disposing gives it back. */
export interface HeldCacheMount extends AsyncDisposable {
  readonly path: string;
}

export interface CacheMounts {
  hold(mount: LlbMount, base: OpResult, platform: Platform, call: Call): Promise<HeldCacheMount>;
}

/**
 * Keeps cache mounts in `kept` (lent). A directory's name is a hash of id, platform and base, so nothing that a
 * Dockerfile says can become a path, and package managers of two processors never share one.
 */
export function openCacheMounts(kept: Kept): CacheMounts {
  const { directory } = kept;
  const locks = new Map<string, Limiter>();
  const busy = new Set<string>();

  async function prepared(path: string, base: OpResult, call: Call): Promise<void> {
    if (existsSync(path)) return;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const temporary = kept.temporary();
    mkdirSync(temporary, { mode: 0o755 });
    if (base) {
      const everything = {
        followSymlink: false,
        copyDirectoryContents: true,
        replaceExisting: false,
      };
      await withView(base, call, (view) => copyInto(view, "/", temporary, "/", everything, call));
    }
    if (!existsSync(path)) renameSync(temporary, path);
  }

  function lockOf(name: string): Limiter {
    const lock = locks.get(name) ?? new Limiter(1);
    locks.set(name, lock);
    return lock;
  }

  /** The first of `name`, `name-1`, ... that no other step holds. */
  function firstFree(name: string): string {
    for (let n = 0; ; n++) {
      const candidate = n === 0 ? name : `${name}-${n}`;
      if (!busy.has(candidate)) return candidate;
    }
  }

  return {
    async hold(mount, base, platform, call) {
      const stack = new AsyncStack();
      let name = nameOf(mount, base, platform);
      const sharing = mount.cache?.sharing ?? "shared";
      if (sharing === "locked") {
        const permit = await lockOf(name).acquire(call);
        stack.defer(() => permit[Symbol.dispose]());
      }
      if (sharing === "private") {
        name = firstFree(name);
        busy.add(name);
        stack.defer(() => busy.delete(name));
      }
      kept.use(name, descriptionOf(mount, platform));
      const path = join(directory, name);
      await prepared(path, base, call);
      return { path, [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose]() };
    },
  };
}

function descriptionOf(mount: LlbMount, platform: Platform): string {
  const id = mount.cache?.id || mount.target;
  return `cached mount ${mount.target} with id ${JSON.stringify(id)} for ${formatPlatform(platform)}`;
}

function nameOf(mount: LlbMount, base: OpResult, platform: Platform): string {
  const id = mount.cache?.id || mount.target;
  const parts = [id, formatPlatform(platform), base?.id ?? "", mount.selector];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}
