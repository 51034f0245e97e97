// What a frontend may touch of a running build: solving definitions, looking up images, warning.
import { closeSync, openSync, readSync } from "node:fs";
import type {
  BuildBridge,
  ExportRequest,
  FileStat,
  FrontendAttestation,
  FrontendResult,
  ResolveImageOptions,
  ResultRef,
  Session,
} from "../../api/index.ts";
import { type Call, KilnError, withDetails } from "../../base/index.ts";
import { type Definition, readDefinition } from "../../formats/llb/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import { compilePatterns } from "../../formats/patterns/index.ts";
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
import { openSourcePolicy, type SourcePolicyParts, type SourceRules } from "../policy/index.ts";
import type { ImageSource } from "../source/index.ts";
import type { BuildContainers } from "./containers.ts";
import { type Emit, runStep } from "./step.ts";

/** Frontends read Dockerfiles and the like; nothing larger. */
const readLimit = 100 << 20;

export interface BridgeParts {
  readonly frontends: ReadonlyMap<string, Frontend>;
  readonly solve: (definition: Definition, call: Call) => Promise<OpResult>;
  /** What the build may use. */
  readonly rules: SourceRules;
  /** Looks a source up, whatever the rules say. */
  readonly meta: SourcePolicyParts["meta"];
  /** Looks into further caches for the rest of the build. */
  readonly importCaches: (imports: readonly ExportRequest[], call: Call) => Promise<void>;
  /** Absent while nothing may run. */
  readonly containers: Pick<BuildContainers, "open" | "failures" | "work"> | undefined;
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
  const { images, session, emit, now, rules } = parts;
  return {
    platforms: parts.platforms,
    inputs: parts.inputs,
    ...(session.localsId === undefined ? {} : { localsId: session.localsId }),
    async solve(definition, call) {
      const result = await parts.solve(await rules.definition(definition, call), call);
      return result ? refOf(result) : undefined;
    },
    async resolveImage(asked, options, call) {
      const reference = await allowedImage(asked, options, rules, call);
      const name = options.logName ?? `[internal] load metadata for ${reference}`;
      const look = (step: Call) => images.resolveImage(reference, options, session, step);
      const found = await runStep({ name, key: reference, emit, now }, look, call);
      parts.looked?.(reference, found.reference);
      return found;
    },
    async resolveSource(asked, options, call) {
      const source = await rules.source(asked, options.platform, call);
      const name = options.logName ?? `resolve ${source.identifier}`;
      const look = (step: Call) => parts.meta(source, options, step);
      return await runStep({ name, key: source.identifier, emit, now }, look, call);
    },
    async modified(definition, logName, call) {
      const { result } = readDefinition(await rules.definition(definition, call));
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
    allowed: (definition, call) => rules.definition(definition, call),
    under: (policies) =>
      policies.length === 0
        ? createBridge(parts)
        : createBridge({
            ...parts,
            rules: bothRules(openSourcePolicy({ policies, meta: parts.meta }), rules),
          }),
    importCaches: (imports, call) => parts.importCaches(imports, call),
    async frontend({ name, attrs, inputs }, call) {
      const frontend = parts.frontends.get(name);
      if (!frontend)
        throw new KilnError("UNSUPPORTED", `invalid frontend: ${name.slice(0, 200)}`, {
          hint: `Known frontends: ${[...parts.frontends.keys()].join(", ") || "none"}.`,
        });
      try {
        const found = await frontend.solve(attrs, createBridge({ ...parts, inputs }), call);
        return await allowedResult(found, rules, call);
      } catch (error) {
        throw withDetails(error, { frontend: name, frontendSource: attrs["source"] ?? "" });
      }
    },
    async container(request, call) {
      if (parts.containers) return await parts.containers.open(request, call);
      throw new KilnError("UNSUPPORTED", "nothing runs while a build is planned");
    },
    failures: () => parts.containers?.failures ?? [],
    failedWork: (step) => parts.containers?.work(step),
    warn: (warning, step) =>
      emit({ type: "warning", warning, at: now(), ...(step === undefined ? {} : { step }) }),
  };
}

/** The results behind references. */
const behind = new WeakMap<ResultRef, NonNullable<OpResult>>();

/** Throws `REQUEST_INVALID` for a reference that is not a result's. */
export function resultOf(ref: ResultRef): NonNullable<OpResult> {
  const result = behind.get(ref);
  if (result) return result;
  throw new KilnError("REQUEST_INVALID", "a mount is of no result of this builder");
}

/** Reads inside a result that the job keeps alive. */
export function refOf(result: NonNullable<OpResult>): ResultRef {
  const ref = refOver((call, use) => withView(result, call, use));
  behind.set(ref, result);
  return ref;
}

/** Files as they are when they are asked for. */
export function refOfView(view: FileView): ResultRef {
  return refOver(async (_call, use) => use(view));
}

type Look = <T>(call: Call, use: (view: FileView) => T | Promise<T>) => Promise<T>;

/** Symbolic links are followed within what is looked at. */
function refOver(look: Look): ResultRef {
  const at = <T>(
    path: string,
    call: Call,
    use: (view: FileView, resolved: string) => T | Promise<T>,
  ) => look(call, (view) => use(view, resolveInView(view, path, true)));
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
    readDir: (path, call) => at(path, call, (view, resolved) => view.readdir(resolved)),
    entries: (path, include, call) =>
      at(path, call, (view, resolved) => {
        const matcher = include === undefined ? undefined : compilePatterns([include]);
        return view
          .readdir(resolved)
          .filter((name) => matcher?.matchesOrParent(name) ?? true)
          .flatMap((name) => {
            const stat = statAt(view, resolved === "/" ? `/${name}` : `${resolved}/${name}`);
            return stat ? [{ name, ...stat }] : [];
          });
      }),
    stat: (path, call) => at(path, call, statAt),
  };
}

/** The bits of st_mode that say what a file is. */
const typeBits = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  char: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
  socket: 0o140000,
} as const;

function statAt(view: FileView, path: string): FileStat | undefined {
  const stat = view.lstat(path);
  if (!stat) return undefined;
  const { size, mode, uid, gid, mtime, type } = stat;
  return {
    size: type === "file" ? size : 0,
    mode: mode | typeBits[type],
    uid,
    gid,
    mtime,
    ...(type === "symlink" ? { linkname: view.readlink(path) } : {}),
  };
}

/** The result with definitions that obey the rules. Throws `SOURCE_DENIED`. */
export async function allowedResult(
  result: FrontendResult,
  rules: SourceRules,
  call: Call,
): Promise<FrontendResult> {
  const platforms = await Promise.all(
    result.platforms.map(async (one) => {
      const { definition, sbomExtras, attestations } = one;
      const extras = new Map<string, Definition>();
      for (const [name, extra] of sbomExtras ?? [])
        extras.set(name, await rules.definition(extra, call));
      return {
        ...one,
        ...(definition ? { definition: await rules.definition(definition, call) } : {}),
        ...(sbomExtras ? { sbomExtras: extras } : {}),
        ...(attestations
          ? { attestations: await allowedAttestations(attestations, rules, call) }
          : {}),
      };
    }),
  );
  return { ...result, platforms };
}

function allowedAttestations(
  attestations: readonly FrontendAttestation[],
  rules: SourceRules,
  call: Call,
): Promise<readonly FrontendAttestation[]> {
  return Promise.all(
    attestations.map(async (one) => {
      const { definition } = one;
      return definition ? { ...one, definition: await rules.definition(definition, call) } : one;
    }),
  );
}

/** What stands in an image's place; where the image is, stays as it was. Throws `SOURCE_DENIED`. */
async function allowedImage(
  reference: string,
  { platform, layout }: ResolveImageOptions,
  rules: SourceRules,
  call: Call,
): Promise<string> {
  const scheme = layout === undefined ? "docker-image://" : "oci-layout://";
  const asked = { identifier: `${scheme}${reference}`, attrs: {} };
  const { identifier } = await rules.source(asked, platform, call);
  if (identifier.startsWith(scheme)) return identifier.slice(scheme.length);
  throw new KilnError(
    "SOURCE_DENIED",
    `the source policy turns ${asked.identifier} into ${identifier}`,
    {
      hint: "Only another image can stand in an image's place.",
    },
  );
}

/** Rules of a part of the build, and then those of the whole: nothing that they convert to escapes these. */
function bothRules(inner: SourceRules, outer: SourceRules): SourceRules {
  return {
    definition: async (definition, call) =>
      outer.definition(await inner.definition(definition, call), call),
    source: async (source, platform, call) =>
      outer.source(await inner.source(source, platform, call), platform, call),
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
