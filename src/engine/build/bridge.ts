// What a frontend may touch of a running build: solving definitions, looking up images, warning.
import type { BuildBridge, ResultRef, Session } from "../../api/index.ts";
import { type Call, KilnError } from "../../base/index.ts";
import type { Definition } from "../../formats/llb/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import { type FileView, type OpResult, readView, resolveInView, withView } from "../ops/index.ts";
import type { ImageSource } from "../source/index.ts";
import { type Emit, runStep } from "./step.ts";

/** Frontends read Dockerfiles and the like; nothing larger. */
const readLimit = 100 << 20;

export interface BridgeParts {
  readonly solve: (definition: Definition, call: Call) => Promise<OpResult>;
  readonly images: ImageSource;
  readonly session: Session;
  readonly platforms: readonly Platform[];
  readonly emit: Emit;
  readonly now: () => Date;
}

export function createBridge(parts: BridgeParts): BuildBridge {
  const { images, session, emit, now } = parts;
  return {
    platforms: parts.platforms,
    async solve(definition, call) {
      const result = await parts.solve(definition, call);
      return result ? refOf(result) : undefined;
    },
    resolveImage(reference, options, call) {
      const name = options.logName ?? `[internal] load metadata for ${reference}`;
      const look = (step: Call) => images.resolveImage(reference, options, session, step);
      return runStep({ name, key: reference, emit, now }, look, call);
    },
    warn: (warning) => emit({ type: "warning", warning, at: now() }),
  };
}

/** Reads inside a result that the job keeps alive; symbolic links are followed within it. */
function refOf(result: OpResult): ResultRef {
  const at = <T>(
    path: string,
    call: Call,
    use: (view: FileView, resolved: string) => T | Promise<T>,
  ) => withView(result, call, (view) => use(view, resolveInView(view, path, true)));
  return {
    readFile: (path, call) =>
      at(path, call, (view, resolved) => {
        const size = view.lstat(resolved)?.size ?? 0;
        if (size > readLimit)
          throw new KilnError("DOCKERFILE_INVALID", `${path} has ${size} bytes`);
        return readView(view, resolved);
      }),
    readDir: (path, _include, call) => at(path, call, (view, resolved) => view.readdir(resolved)),
    stat: (path, call) =>
      at(path, call, (view, resolved) => {
        const stat = view.lstat(resolved);
        return stat && { size: stat.size, mode: stat.mode };
      }),
  };
}
