// What an exec step is to the cache: itself, and what counts of each of its inputs.
import { posix } from "node:path";
import { type Call, digestOf } from "../../base/index.ts";
import { type ExecOp, execIdentity, type ExecMount as LlbMount } from "../../formats/llb/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import type { CacheMap } from "../solver/index.ts";
import { ContentLister, contentDigest } from "../source/index.ts";
import { presentPath } from "./file/view.ts";
import type { OpResult } from "./result.ts";
import { withView } from "./views.ts";

/** As BuildKit: proxies do not count, nor secrets' contents. Inputs that are only read count by content, others by history. */
export function execCacheMap(
  op: ExecOp,
  encoded: Uint8Array,
  platform: Platform,
  inputCount: number,
): CacheMap<OpResult> {
  return {
    digest: digestOf(execIdentity(encoded, platform)),
    inputs: Array.from({ length: inputCount }, (_, input) => {
      const users = op.mounts.filter((mount) => mount.input === input && mount.type !== "tmpfs");
      if (users.length === 0) return {};
      const paths = users.map((mount) => posix.join("/", mount.selector));
      const selector = digestOf(paths.join("\0"));
      // The last mount of an input decides.
      if (!countsByContent(users.at(-1) as LlbMount)) return { selector };
      const lister = new ContentLister();
      const selected = outermost(paths);
      return {
        selector,
        listing: () => lister.listing(),
        contentDigest: (result: OpResult, call: Call) =>
          withView(result, call, (view) => {
            const selectors = selected.map((path) => ({ path: presentPath(view, path, true) }));
            lister.restart();
            return contentDigest(view, { selectors, lister }, call);
          }),
      };
    }),
  };
}

/** BuildKit: what cannot change by the step, and lets no file through that was not selected; never the root. */
function countsByContent(mount: LlbMount): boolean {
  if (mount.contentCache === "off") return false;
  const safe =
    mount.output === undefined || mount.readonly || posix.join("/", mount.selector) === "/";
  return safe && (mount.contentCache === "on" || mount.target !== "/");
}

/** Without those that lie below others, in order; the root stands for everything. */
function outermost(paths: readonly string[]): readonly string[] {
  if (paths.length <= 1) return paths;
  if (paths.includes("/")) return ["/"];
  const all = [...new Set(paths)];
  return all.filter((path) => !all.some((other) => path.startsWith(`${other}/`))).sort();
}
