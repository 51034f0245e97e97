// The build context: which of its files are used, and where they come from.
import { deferred, local, type State } from "../../llb/index.ts";
import { compareText } from "../text.ts";
import type { ContextOptions } from "./options.ts";
import { joinPaths } from "./paths.ts";

/** Which files of some directory were used; everything, once "/" was. */
export class UsedPaths {
  readonly #paths = new Set<string>();

  add(path: string): void {
    // What is in the list is clean, and most paths are used more than once.
    if (!this.#paths.has(path)) this.#paths.add(joinPaths("/", path));
  }

  /** Sorted, relative; undefined when nothing was used or all of it may have been. */
  list(): readonly string[] | undefined {
    if (this.#paths.size === 0 || this.#paths.has("/")) return undefined;
    return [...this.#paths].map((path) => path.slice(1)).sort(compareText);
  }
}

/** The main build context; only what was used by then is asked for when it is marshalled. */
export interface BuildContext {
  readonly files: State;
  readonly used: UsedPaths;
  /** True for a directory that the asking side lends: what is used of it must not be asked for before it is known. */
  readonly isLent: boolean;
}

export function createBuildContext(options: ContextOptions = {}): BuildContext {
  const used = new UsedPaths();
  const { state, localName = "context", ignorePatterns } = options;
  const files =
    state ??
    deferred(() => {
      const followPaths = used.list();
      return local(localName, {
        name: "[internal] load build context",
        sharedKeyHint: options.sharedKeyHint ?? localName,
        ...(options.sessionId === undefined ? {} : { sessionId: options.sessionId }),
        ...(followPaths === undefined ? {} : { followPaths }),
        ...(ignorePatterns === undefined ? {} : { excludePatterns: ignorePatterns }),
      });
    });
  return { files, used, isLent: state === undefined };
}
