// Bills of materials of results: by Kiln's own scanner, or by a scanner image over BuildKit's protocol (sbom-protocol.md).
import type { Attrs, Session, StepCall } from "../../api/index.ts";
import {
  AsyncStack,
  type Call,
  isRecord,
  KilnError,
  parseJson,
  runAll,
  sortedPairs,
  wrap,
} from "../../base/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import type { Snapshot, Snapshotter } from "../../storage/snapshot/index.ts";
import { type SbomOptions, type ScanView, scanFiles, spdxPredicateType } from "../attest/index.ts";
import type { ExecMount, Executor, ProcessSpec } from "../executor/index.ts";
import type { ResultAttestation } from "../exporter/index.ts";
import { type FileView, type OpResult, readView, resolveInView, withView } from "../ops/index.ts";
import type { ImageSource } from "../source/index.ts";
import { type Emit, runStep } from "./step.ts";

/** Lent by the engine. */
export interface ScanParts {
  readonly images: ImageSource;
  readonly snapshotter: Snapshotter;
  readonly executor: () => Promise<Executor>;
  /** Native first. */
  readonly platforms: readonly Platform[];
  readonly emit: Emit;
  readonly now: () => Date;
}

export interface ScannedResult {
  /** `linux/arm64` */
  readonly id: string;
  readonly snapshot: OpResult;
  /** Stages and contexts that are to be scanned, too. */
  readonly extras: readonly { readonly name: string; readonly snapshot: OpResult }[];
  /** Seconds since 1970 that the document says it is from. */
  readonly created: number;
}

/** Where things are in the scanner's container: the reference's own places. */
const sourcePlace = "/run/src/core/sbom";
const extrasPlace = "/run/src/extras";
const destination = "/run/out";
/** Largest document that is taken, in bytes. */
const maxDocumentSize = 40 * 1024 * 1024;
const maxDocuments = 256;

/** Scans every result, side by side; nothing where no bills are wanted. Each document is one attestation. */
export async function scanResults(
  results: readonly ScannedResult[],
  options: SbomOptions | undefined,
  session: Session,
  parts: ScanParts,
  call: Call,
): Promise<readonly (readonly ResultAttestation[])[]> {
  if (!options) return [];
  return runAll(results, (one, c) => scanResult(one, options, session, parts, c), call);
}

async function scanResult(
  result: ScannedResult,
  { generator, parameters }: SbomOptions,
  session: Session,
  parts: ScanParts,
  call: Call,
): Promise<readonly ResultAttestation[]> {
  const { emit, now } = parts;
  const using = generator === undefined ? "" : ` using ${generator}`;
  const name = `[${result.id}] generating sbom${using}`;
  return runStep(
    { name, key: `sbom ${result.id}`, emit, now },
    async (step) => {
      const documents =
        generator === undefined
          ? await scanHere(result, step)
          : await runScanner(generator, parameters, result, session, parts, step);
      return documents.map(attestationOf);
    },
    call,
  );
}

/** What a scanner wrote. */
interface Bill {
  readonly filename: string;
  readonly predicateType: string;
  readonly predicate: unknown;
}

/** One document for the result, and one for each of the others. */
function scanHere(
  { id, snapshot, extras, created }: ScannedResult,
  call: StepCall,
): Promise<readonly Bill[]> {
  const all = [
    { name: `image (${id})`, stem: "sbom", snapshot },
    ...extras.map(({ name, snapshot: files }) => {
      return { name: `${name} (${id})`, stem: extraStem(name), snapshot: files };
    }),
  ];
  const scan = async ({ name, stem, snapshot: files }: (typeof all)[number], c: Call) => {
    const options = { name, created };
    const predicate = await withView(files, c, (view) => scanFiles(scanView(view), options));
    return { filename: `${stem}${documentEnd}`, predicateType: spdxPredicateType, predicate };
  };
  return runAll(all, scan, call);
}

const documentEnd = ".spdx.json";

/** What a stage or a context is called in front of scanners. Names hold letters, digits and a few signs; slashes are none of them. */
function extraStem(name: string): string {
  return `sbom-${name.replaceAll("/", "_")}`;
}

function attestationOf({ predicate, ...about }: Bill): ResultAttestation {
  return { ...about, inlineOnly: false, predicate: async () => predicate };
}

/** Package lists may lie behind links, which do not lead out of the result. */
function scanView(view: FileView): ScanView {
  return {
    list: (path) => (view.lstat(path)?.type === "directory" ? view.readdir(path) : undefined),
    read(path, limit) {
      const resolved = resolveInView(view, path, true);
      const stat = view.lstat(resolved);
      return stat?.type === "file" && stat.size <= limit ? readView(view, resolved) : undefined;
    },
  };
}

async function runScanner(
  generator: string,
  parameters: Attrs,
  { snapshot, extras }: ScannedResult,
  session: Session,
  parts: ScanParts,
  call: StepCall,
): Promise<readonly Bill[]> {
  await using owned = new AsyncStack();
  const [platform] = parts.platforms;
  if (!platform) throw new Error("no platform can be built here");
  const image = await parts.images.resolveImage(generator, { platform }, session, call);
  const { Entrypoint = [], Cmd = [], Env = [], WorkingDir } = image.config.config ?? {};
  const args = [...Entrypoint, ...Cmd];
  if (args.length === 0)
    throw new KilnError("FLAG_INVALID", `scanner ${generator} does not say what to run`);
  const id = { scheme: parts.images.scheme, rest: image.reference, attrs: {}, platform };
  const source = await parts.images.resolve(id, session, call);
  const files = await source.fetch(call);
  if (files) owned.use(files);
  const root = owned.use(await parts.snapshotter.active(files, call));
  const out = owned.use(await parts.snapshotter.active(undefined, call));
  const sources = [{ target: sourcePlace, snapshot }, ...extras.map(extraSource)];
  const mounts: ExecMount[] = [];
  for (const one of sources) {
    const files = await resultMounts(one.snapshot, parts.snapshotter, owned, call);
    const what = { type: "snapshot", mounts: await files.mounts(call) } as const;
    mounts.push({ target: one.target, readonly: true, what });
  }
  const process: ProcessSpec = {
    args,
    env: [...Env, ...scannerEnv(parameters, extras.length > 0)],
    cwd: WorkingDir || "/",
    network: "none",
    security: "sandbox",
    platform,
  };
  const executor = await parts.executor();
  await executor.run(
    process,
    await root.mounts(call),
    [
      ...mounts,
      {
        target: destination,
        readonly: false,
        what: { type: "snapshot", mounts: await out.mounts(call) },
      },
    ],
    call,
  );
  const written = owned.use(await out.commit(call));
  return await withView(written, call, (view) => readDocuments(view, generator));
}

function extraSource({ name, snapshot }: ScannedResult["extras"][number]) {
  return { target: `${extrasPlace}/${extraStem(name)}`, snapshot };
}

/** Scratch is scanned, too. */
async function resultMounts(
  result: OpResult,
  snapshotter: Snapshotter,
  owned: AsyncStack,
  call: Call,
): Promise<Snapshot> {
  if (result) return result;
  const empty = owned.use(await snapshotter.active(undefined, call));
  return owned.use(await empty.commit(call));
}

function scannerEnv(parameters: Attrs, extras: boolean): readonly string[] {
  return [
    `BUILDKIT_SCAN_DESTINATION=${destination}`,
    `BUILDKIT_SCAN_SOURCE=${sourcePlace}`,
    ...(extras ? [`BUILDKIT_SCAN_SOURCE_EXTRAS=${extrasPlace}/`] : []),
    ...sortedPairs(parameters).map(([key, value]) => `BUILDKIT_SCAN_${key}=${value}`),
  ];
}

/** The statements' predicates, or plain documents: either is what scanners write. */
function readDocuments(view: FileView, generator: string): readonly Bill[] {
  const core = `sbom${documentEnd}`;
  const found = view.readdir("/").filter((name) => name.endsWith(documentEnd));
  // The image's own is the first that readers of images meet.
  const names = [
    ...found.filter((name) => name === core),
    ...found.filter((name) => name !== core),
  ];
  if (names.length === 0 || names.length > maxDocuments)
    throw new KilnError("EXPORT_FAILED", `scanner ${generator} wrote ${names.length} documents`);
  return names.map((name) => {
    const path = `/${name}`;
    const size = view.lstat(path)?.size ?? 0;
    if (size > maxDocumentSize)
      throw new KilnError("EXPORT_FAILED", `scanner ${generator}: ${name} is too large`);
    try {
      const document = parseJson(new TextDecoder().decode(readView(view, path)), name);
      const statement = isRecord(document) && typeof document["predicateType"] === "string";
      return {
        filename: name,
        predicateType: statement ? String(document["predicateType"]) : spdxPredicateType,
        predicate: statement ? document["predicate"] : document,
      };
    } catch (error) {
      throw wrap(error, `scanner ${generator}`);
    }
  });
}
