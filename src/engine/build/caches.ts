// The caches of one build: imported before the first step, exported after the results.
import type { Attrs, BuildRequest, ExportRequest, Session } from "../../api/index.ts";
import { type Call, isAbortError, runAll, uncancelled } from "../../base/index.ts";
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
  readonly imports: readonly WantedCache[];
  readonly exports: readonly WantedCache[];
  /** The image shall carry its own cache. */
  readonly inline: boolean;
}

/** Throws `UNSUPPORTED` and `FLAG_INVALID` for what cannot be. */
export function findCaches(request: BuildRequest, caches: RemoteCaches): WantedCaches {
  const exports = request.cacheExports ?? [];
  const asked = ["1", "true"].includes(request.attrs["build-arg:BUILDKIT_INLINE_CACHE"] ?? "");
  const isInline = ({ type }: ExportRequest) => type === "inline";
  return {
    // An image's own cache is read as a registry's.
    imports: caches.find(
      (request.cacheImports ?? []).map((one) =>
        isInline(one) ? { ...one, type: "registry" } : one,
      ),
    ),
    exports: caches.find(exports.filter((one) => !isInline(one))),
    inline: asked || exports.some(isInline),
  };
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
    imports.map((wanted, index) => ({ wanted, index })),
    async ({ wanted, index }, importing) => {
      const place = wanted.backend.place(wanted.attrs) || wanted.backend.type;
      const name = `importing cache manifest from ${place}`;
      try {
        await runStep(
          { name, key: `cache import ${index}`, emit, now },
          async (step) => void opened.push(await caches.import(wanted, session, step)),
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
