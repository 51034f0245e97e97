// Two images compared platform by platform, wherever they are read from.
import { type Call, type Digest, KilnError, readAll, runAll } from "../../../base/index.ts";
import {
  type Descriptor,
  formatPlatform,
  isConfigType,
  maxConfigSize,
  normalizePlatform,
  type Platform,
  parseImageConfig,
  parseManifestDocument,
  platformOfConfig,
} from "../../../formats/oci/index.ts";
import {
  type BlobReader,
  compareConfigs,
  compareFiles,
  type FileChange,
  isAttestation,
  readImageFiles,
  type ValueChange,
} from "../../../storage/image/index.ts";

/** An image for any number of platforms, and how its parts are read. */
export interface ComparedImage {
  readonly name: string;
  readonly root: Descriptor;
  readonly readManifest: (descriptor: Descriptor, call: Call) => Promise<Uint8Array>;
  readonly read: BlobReader;
}

/** One platform's differences. */
export interface PlatformDiff {
  readonly platform: string;
  /** Undefined where one side has no image for the platform. */
  readonly digests: readonly [before: string | undefined, after: string | undefined];
  readonly config: readonly ValueChange[];
  readonly layers: {
    /** As many at the beginning are the same. */
    readonly same: number;
    readonly before: readonly string[];
    readonly after: readonly string[];
    /** Same contents, packed otherwise. */
    readonly repacked: boolean;
  };
  readonly files: readonly FileChange[];
}

interface OneImage {
  readonly digest: Digest;
  readonly config: unknown;
  readonly diffIds: readonly Digest[];
  readonly layers: readonly Descriptor[];
}

/** Differences by platform; a platform without any is left out. `platforms` empty is all. */
export async function diffImages(
  before: ComparedImage,
  after: ComparedImage,
  options: { readonly platforms: readonly Platform[]; readonly ignoreTimes: boolean },
  call: Call,
): Promise<readonly PlatformDiff[]> {
  const [a, b] = (await runAll([before, after], readImages, call)) as [Images, Images];
  const wanted = options.platforms.map((one) => formatPlatform(normalizePlatform(one)));
  const names = [...new Set([...a.keys(), ...b.keys()])].filter(
    (name) => wanted.length === 0 || wanted.includes(name),
  );
  if (names.length === 0)
    throw new KilnError("PLATFORM_NOT_OFFERED", `neither image is for ${wanted.join(", ")}`);
  const found: PlatformDiff[] = [];
  for (const platform of names.sort()) {
    const [one, two] = [a.get(platform), b.get(platform)];
    if (one && two && one.digest === two.digest) continue;
    found.push(await diffPlatform(platform, [one, before], [two, after], options, call));
  }
  return found;
}

type Images = ReadonlyMap<string, OneImage>;
type Side = readonly [image: OneImage | undefined, from: ComparedImage];

async function diffPlatform(
  platform: string,
  [one, before]: Side,
  [two, after]: Side,
  options: { readonly ignoreTimes: boolean },
  call: Call,
): Promise<PlatformDiff> {
  const [x, y] = [one?.diffIds ?? [], two?.diffIds ?? []];
  let same = 0;
  while (same < x.length && same < y.length && x[same] === y[same]) same++;
  const equal = same === x.length && same === y.length;
  const files =
    one && two && !equal ? await diffFiles([one, before], [two, after], options, call) : [];
  return {
    platform,
    digests: [one?.digest, two?.digest],
    config: one && two ? compareConfigs(one.config, two.config) : [],
    layers: {
      same,
      before: x,
      after: y,
      repacked:
        equal && one?.layers.some((layer, i) => layer.digest !== two?.layers[i]?.digest) === true,
    },
    files,
  };
}

async function diffFiles(
  [one, before]: readonly [OneImage, ComparedImage],
  [two, after]: readonly [OneImage, ComparedImage],
  options: { readonly ignoreTimes: boolean },
  call: Call,
): Promise<readonly FileChange[]> {
  const [a, b] = await Promise.all([
    readImageFiles(one.layers, before.read, call),
    readImageFiles(two.layers, after.read, call),
  ]);
  return compareFiles(a, b, options);
}

async function readImages(image: ComparedImage, call: Call): Promise<Images> {
  const document = parseManifestDocument(
    await image.readManifest(image.root, call),
    image.root.mediaType,
  );
  const entries =
    document.kind === "index"
      ? document.index.manifests.filter((one) => !isAttestation(one))
      : [image.root];
  const read = await runAll(entries, (entry, c) => readImage(image, entry, c), call);
  return new Map(read.flatMap((one) => (one ? [one] : [])));
}

async function readImage(
  { readManifest, read }: ComparedImage,
  entry: Descriptor,
  call: Call,
): Promise<readonly [string, OneImage] | undefined> {
  const document = parseManifestDocument(await readManifest(entry, call), entry.mediaType);
  if (document.kind === "index" || !isConfigType(document.manifest.config.mediaType))
    return undefined;
  const { config, layers } = document.manifest;
  const data = await readAll(read(config, call), maxConfigSize, `configuration ${config.digest}`);
  const parsed = parseImageConfig(data);
  const platform = entry.platform ?? platformOfConfig(parsed);
  const json = JSON.parse(new TextDecoder().decode(data)) as unknown;
  const one = { digest: entry.digest, config: json, diffIds: parsed.rootfs.diff_ids, layers };
  return [formatPlatform(normalizePlatform(platform)), one];
}
