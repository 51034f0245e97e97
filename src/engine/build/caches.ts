// The caches of one build: imported before the first step, exported after the results.
import type { Attrs, BuildRequest, ExportRequest, Session } from "../../api/index.ts";
import { type Call, isAbortError, KilnError, runAll, uncancelled } from "../../base/index.ts";
import type { BuildOutcome, RemoteCaches, WantedCache } from "../cache/index.ts";
import type { SolvedPlatform } from "../exporter/index.ts";
import { type Emit, runStep } from "./step.ts";

export interface CacheParts {
  readonly caches: RemoteCaches;
  readonly emit: Emit;
  readonly now: () => Date;
}

/** What is wanted of caches in one build. */
export interface WantedCaches {
  /** Types that do not exist are passed over when they are imported, as by the reference. */
  readonly imports: readonly ExportRequest[];
  readonly exports: readonly WantedCache[];
  /** The image shall carry its own cache. */
  readonly inline: boolean;
}

/** Throws `UNSUPPORTED` for exports to types that do not exist, and `FLAG_INVALID`. */
export function findCaches(
  request: Pick<BuildRequest, "attrs" | "cacheImports" | "cacheExports">,
  caches: RemoteCaches,
): WantedCaches {
  const exports = request.cacheExports ?? [];
  const asked = ["1", "true"].includes(request.attrs["build-arg:BUILDKIT_INLINE_CACHE"] ?? "");
  const isInline = ({ type }: ExportRequest) => type === "inline";
  return {
    // An image's own cache is read as a registry's.
    imports: [...(request.cacheImports ?? []), ...attrImports(request.attrs)].map((one) =>
      isInline(one) ? { ...one, type: "registry" } : one,
    ),
    exports: caches.find(exports.filter((one) => !isInline(one))),
    inline: asked || exports.some(isInline),
  };
}

/**
 * Caches that frontend attributes name: `cache-imports`, a JSON list of `{"Type", "Attrs"}`, or the older `cache-from`,
 * images with commas between them (BuildKit: frontend/dockerui/config.go). Throws `FLAG_INVALID`.
 */
function attrImports(attrs: Attrs): readonly ExportRequest[] {
  const list = attrs["cache-imports"];
  if (!list) {
    const names = (attrs["cache-from"] ?? "").split(",").filter((name) => name !== "");
    return names.map((ref) => ({ type: "registry", attrs: { ref } }));
  }
  let entries: unknown;
  try {
    entries = JSON.parse(list);
  } catch {
    entries = undefined;
  }
  if (!Array.isArray(entries)) throw notImports();
  return entries.map((entry: { readonly Type?: unknown; readonly Attrs?: unknown } | null) => {
    const { Type: type, Attrs: values } = entry ?? {};
    if (typeof type !== "string" || !isAttrs(values ?? {})) throw notImports();
    return { type, attrs: (values ?? {}) as Attrs };
  });
}

function isAttrs(values: unknown): values is Attrs {
  return (
    typeof values === "object" &&
    values !== null &&
    Object.values(values).every((value) => typeof value === "string")
  );
}

function notImports(): KilnError {
  return new KilnError(
    "FLAG_INVALID",
    'cache-imports must be a JSON list such as [{"Type":"registry","Attrs":{"ref":"registry/name"}}]',
  );
}

/** A cache that cannot be had is a warning. What was found is looked into until disposed. */
export async function importCaches(
  { imports }: WantedCaches,
  session: Session,
  { caches, emit, now }: CacheParts,
  call: Call,
): Promise<AsyncDisposable> {
  const opened: Disposable[] = [];
  await runAll(
    imports.map((request, index) => ({ request, index, wanted: caches.known(request) })),
    async ({ request, index, wanted }, importing) => {
      const place = wanted?.backend.place(wanted.attrs) || request.type;
      const name = `importing cache manifest from ${place}`;
      try {
        await runStep(
          { name, key: `cache import ${index}`, emit, now },
          async (step) => {
            if (!wanted)
              throw new KilnError("UNSUPPORTED", `unknown cache importer: ${request.type}`);
            opened.push(await caches.import(wanted, session, step));
          },
          importing,
        );
      } catch (error) {
        if (isAbortError(error) || call.signal.aborted) throw error;
        emit({ type: "warning", warning: { message: `${name}: ${wordsOf(error)}` }, at: now() });
      }
    },
    call,
  );
  return {
    async [Symbol.asyncDispose]() {
      for (const one of opened) one[Symbol.dispose]();
    },
  };
}

/** A failure is the build's, unless the cache is to be written with `ignore-error`. */
export async function exportCaches(
  { exports }: WantedCaches,
  outcome: BuildOutcome,
  { caches, emit, now }: CacheParts,
  call: Call,
): Promise<Attrs> {
  const told = await runAll(
    exports.map((wanted, index) => ({ wanted, index })),
    async ({ wanted, index }, exporting): Promise<Attrs> => {
      const { backend, attrs } = wanted;
      const name = `exporting cache to ${titles[backend.type] ?? backend.type}`;
      try {
        return await runStep(
          { name, key: `cache export ${index}`, emit, now },
          (step) => caches.export(wanted, outcome, step),
          exporting,
        );
      } catch (error) {
        if (isAbortError(error) || call.signal.aborted || !isIgnored(attrs)) throw error;
        emit({ type: "warning", warning: { message: `${name}: ${wordsOf(error)}` }, at: now() });
        return {};
      }
    },
    call,
  );
  return Object.assign({}, ...told);
}

const titles: Readonly<Record<string, string>> = {
  azblob: "Azure Blob Storage",
  gha: "GitHub Actions Cache",
  local: "client directory",
  registry: "registry",
  s3: "Amazon S3",
};

function isIgnored(attrs: Attrs): boolean {
  return ["", "1", "t", "T", "true", "TRUE", "True"].includes(attrs["ignore-error"] ?? "0");
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** How an exporter learns what its image shall say of its steps. */
export function inlineCache(
  outcome: () => Promise<BuildOutcome>,
  platform: number,
  caches: RemoteCaches,
): NonNullable<SolvedPlatform["inlineCache"]> {
  return async (layers: readonly { readonly id: string; readonly listed: boolean }[]) =>
    caches.inline(await outcome(), platform, layers, uncancelled);
}
