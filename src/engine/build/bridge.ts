// What a frontend may touch of a running build: solving definitions, looking up images, warning.
import { closeSync, openSync, readSync } from "node:fs";
import type { BuildBridge, ResultRef, Session } from "../../api/index.ts";
import { type Call, KilnError } from "../../base/index.ts";
import { type Definition, readDefinition } from "../../formats/llb/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import type { Frontend } from "../frontend/index.ts";
import {
  type FileView,
  findSource,
  type OpResult,
  readView,
  resolveInView,
  type Sources,
  withView,
} from "../ops/index.ts";
import type { ImageSource } from "../source/index.ts";
import { type Emit, runStep } from "./step.ts";

/** Frontends read Dockerfiles and the like; nothing larger. */
const readLimit = 100 << 20;

export interface BridgeParts {
  readonly frontends: ReadonlyMap<string, Frontend>;
  readonly solve: (definition: Definition, call: Call) => Promise<OpResult>;
  /** Told what a name stood for. */
  readonly looked?: (reference: string, pinned: string) => void;
  readonly images: Pick<ImageSource, "resolveImage">;
  readonly sources: Sources;
  readonly inputs: Readonly<Record<string, Definition>>;
  readonly session: Session;
  readonly platforms: readonly Platform[];
  readonly emit: Emit;
  readonly now: () => Date;
}

export function createBridge(parts: BridgeParts): BuildBridge {
  const { images, session, emit, now } = parts;
  return {
    platforms: parts.platforms,
    inputs: parts.inputs,
    async solve(definition, call) {
      const result = await parts.solve(definition, call);
      return result ? refOf(result) : undefined;
    },
    async resolveImage(reference, options, call) {
      const name = options.logName ?? `[internal] load metadata for ${reference}`;
      const look = (step: Call) => images.resolveImage(reference, options, session, step);
      const found = await runStep({ name, key: reference, emit, now }, look, call);
      parts.looked?.(reference, found.reference);
      return found;
    },
    async modified(definition, logName, call) {
      const { result } = readDefinition(definition);
      if (!result) return undefined;
      const { op, platform = nativeOf(parts.platforms) } = result.vertex;
      if (op.kind === "file") return newestFile(await parts.solve(definition, call), call);
      if (op.kind !== "source") return undefined;
      const { source, id } = findSource(op, platform, parts.sources);
      return runStep(
        { name: logName, key: op.identifier, emit, now },
        async (step) => (await source.resolve(id, session, step)).modified?.(step),
        call,
      );
    },
    async frontend({ name, attrs, inputs }, call) {
      const frontend = parts.frontends.get(name);
      if (!frontend)
        throw new KilnError("UNSUPPORTED", `there is no frontend ${JSON.stringify(name)}`);
      return await frontend.solve(attrs, createBridge({ ...parts, inputs }), call);
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
    readStart: (path, length, call) =>
      at(path, call, (view, resolved) =>
        view.lstat(resolved)?.type === "file"
          ? firstBytes(view.hostPath(resolved), length)
          : undefined,
      ),
    readDir: (path, _include, call) => at(path, call, (view, resolved) => view.readdir(resolved)),
    stat: (path, call) =>
      at(path, call, (view, resolved) => {
        const stat = view.lstat(resolved);
        return stat && { size: stat.size, mode: stat.mode };
      }),
  };
}

function firstBytes(path: string, length: number): Uint8Array {
  const file = openSync(path, "r");
  try {
    const bytes = new Uint8Array(length);
    let size = 0;
    for (let read = -1; read !== 0 && size < length; size += read)
      read = readSync(file, bytes, size, length - size, null);
    return bytes.subarray(0, size);
  } finally {
    closeSync(file);
  }
}

/** Of regular files: directories and links get their times on the way. */
function newestFile(result: OpResult, call: Call): Promise<Date | undefined> {
  return withView(result, call, (view) => {
    let newest: bigint | undefined;
    const visit = (path: string): void => {
      const stat = view.lstat(path);
      if (stat?.type === "directory")
        for (const name of view.readdir(path)) visit(path === "/" ? `/${name}` : `${path}/${name}`);
      if (stat?.type === "file" && (newest === undefined || stat.mtime > newest))
        newest = stat.mtime;
    };
    visit("/");
    return newest === undefined ? undefined : new Date(Number(newest / 1_000_000n));
  });
}

function nativeOf([native]: readonly Platform[]): Platform {
  if (!native) throw new Error("no platform can be built here");
  return native;
}
