// `kiln build --verify`: the same build once more, from nothing, and what came out differently.
import { createReadStream, createWriteStream } from "node:fs";
import { link, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Builder, ExportRequest } from "../../../api/index.ts";
import { type AsyncStack, type Bytes, KilnError } from "../../../base/index.ts";
import { openOciLayout } from "../../../storage/image/index.ts";
import { type EngineLimits, openEmbedded } from "../builders/builder.ts";
import { openClientConfig } from "../builders/client-config.ts";
import type { RunWorld } from "../command.ts";
import { type ComparedImage, diffImages } from "../images/image-diff.ts";
import { diffText } from "../images/image-diff-text.ts";
import type { Receiver } from "./outputs.ts";
import type { BuildPlan } from "./plan.ts";

/** Where both results go to be compared. */
export interface Verification {
  /** The first build, which also writes its image as a layout. */
  readonly first: BuildPlan;
  /** The second one, which writes nothing else, runs every step anew and has cache mounts of its own. */
  readonly second: BuildPlan;
  /**
   * Who makes the second one, once the first is done: an engine that knows nothing of it but the blobs of images; the
   * builder itself where that is elsewhere.
   */
  openSecond(): Promise<Builder>;
  /** Throws `NOT_REPRODUCIBLE` with what differs first. */
  compare(): Promise<void>;
}

/** What it takes to build twice. What it makes on the disk goes with `owned`. */
export async function prepareVerification(
  plan: BuildPlan,
  { builder, limits }: { readonly builder: Builder; readonly limits: EngineLimits },
  world: RunWorld,
  owned: AsyncStack,
): Promise<Verification> {
  const root = ownRoot(builder, world) ?? (await openClientConfig(world)).root;
  await mkdir(root, { recursive: true, mode: 0o700 });
  const place = await mkdtemp(join(root, "verify-"));
  owned.defer(() => rm(place, { recursive: true, force: true }));
  const uploads = await keepUploads(plan.uploads, place, world);
  const layouts = ["first", "second"].map((name) => join(place, name)) as [string, string];
  const image = plan.exporters.find(({ type }) => type !== "local" && type !== "tar");
  const request = (layout: string) => layoutRequest(image, layout);
  return {
    first: {
      ...plan,
      uploads: uploads(),
      exporters: [...plan.exporters, request(layouts[0])],
      receivers: [...plan.receivers, receiver(layouts[0])],
    },
    second: {
      ...plan,
      uploads: uploads(),
      cacheImports: [],
      cacheExports: [],
      attrs: {
        ...withoutAttestations(plan.attrs),
        "no-cache": "",
        "build-arg:BUILDKIT_CACHE_MOUNT_NS": basename(place),
      },
      exporters: [request(layouts[1])],
      receivers: [receiver(layouts[1])],
    },
    openSecond: await prepareSecond(builder, { place, layout: layouts[0], limits }, world, owned),
    compare: () => compare(layouts, world),
  };
}

/** Of an engine in this process; undefined for other builders. */
function ownRoot(builder: Builder, world: RunWorld): string | undefined {
  const engine = "runImage" in builder && world.openBuilder === undefined;
  return engine && "root" in builder ? String(builder.root) : undefined;
}

/**
 * The second engine's state is below `place`. Names of images are those of now, since the first build may give them anew;
 * blobs are those of later, also of the image in `layout`, so that what the first one has fetched is not fetched again.
 */
async function prepareSecond(
  builder: Builder,
  {
    place,
    layout,
    limits,
  }: { readonly place: string; readonly layout: string; readonly limits: EngineLimits },
  world: RunWorld,
  owned: AsyncStack,
): Promise<() => Promise<Builder>> {
  const root = ownRoot(builder, world);
  if (root === undefined) return async () => builder;
  const second = join(place, "state");
  await linkTree(join(root, "images"), join(second, "images"));
  return async () => {
    for (const path of ["content/blobs", "origins"])
      await linkTree(join(root, path), join(second, path));
    await linkTree(join(layout, "blobs"), join(second, "content/blobs"));
    return owned.use(await openEmbedded(world, { ...limits, root: second }));
  };
}

/** The same files under another directory, as far as they can be linked: none of them is ever changed. */
async function linkTree(from: string, to: string): Promise<void> {
  const entries = await readdir(from, { withFileTypes: true }).catch(() => []);
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const entry of entries) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await linkTree(source, target);
    // What cannot be linked, or has just gone, is fetched again.
    else if (entry.isFile()) await link(source, target).catch(() => undefined);
  }
}

/** What comes on standard input, kept below `place` to be read twice. */
async function keepUploads(
  uploads: BuildPlan["uploads"],
  place: string,
  { call }: RunWorld,
): Promise<() => BuildPlan["uploads"]> {
  const files: [string, string][] = [];
  for (const [id, data] of uploads) {
    const file = join(place, `upload-${files.length}`);
    await pipeline(data, createWriteStream(file, { mode: 0o600 }), { signal: call.signal });
    files.push([id, file]);
  }
  return () => new Map(files.map(([id, file]) => [id, fileBytes(file)] as const));
}

/** Opened when the first bytes are asked for. */
async function* fileBytes(path: string): Bytes {
  yield* createReadStream(path);
}

/** The image as the build makes it, without its names: those are no part of what is compared. */
function layoutRequest(image: ExportRequest | undefined, dest: string): ExportRequest {
  const kept =
    /^(compression|compression-level|force-compression|oci-mediatypes|rewrite-timestamp|source-date-epoch)$|^annotation/;
  const attrs = Object.entries(image?.attrs ?? {}).filter(([name]) => kept.test(name));
  return { type: "oci", attrs: { ...Object.fromEntries(attrs), tar: "false", dest } };
}

function receiver(dest: string): Receiver {
  return { type: "oci", dest, unpack: true, replace: false };
}

/** They tell of times, which differ. */
function withoutAttestations(attrs: BuildPlan["attrs"]): BuildPlan["attrs"] {
  return Object.fromEntries(Object.entries(attrs).filter(([name]) => !name.startsWith("attest:")));
}

async function compare(layouts: readonly [string, string], world: RunWorld): Promise<void> {
  const [first, second] = (await Promise.all(
    layouts.map((path, index) => openCompared(path, `build ${index + 1}`, world)),
  )) as [ComparedImage, ComparedImage];
  const diffs = await diffImages(first, second, { platforms: [], ignoreTimes: false }, world.call);
  if (diffs.length === 0) return;
  world.stderr.write(diffText([first.name, second.name], diffs, world.stderr.style));
  const [diff] = diffs;
  const file = diff?.files[0];
  const value = diff?.config[0];
  const what = file
    ? `/${file.path} differs (${file.what.join(", ") || file.kind})`
    : `${value?.name ?? "the layers"} differ${value ? "s" : ""}`;
  throw new KilnError(
    "NOT_REPRODUCIBLE",
    `the second build came out differently: ${diff?.platform}: ${what}`,
    {
      hint: "Steps that write times, random values or what they fetch differ each time; SOURCE_DATE_EPOCH helps with times.",
      details: { platform: diff?.platform ?? "", path: file ? `/${file.path}` : "" },
    },
  );
}

async function openCompared(
  directory: string,
  name: string,
  world: RunWorld,
): Promise<ComparedImage> {
  const layout = openOciLayout(directory);
  const root = await layout.resolve("latest", world.call);
  if (!root) throw new KilnError("IMAGE_INVALID", `${name} left no image`);
  return {
    name,
    root,
    read: (blob, call) => layout.read(blob, call),
    readManifest: (one, call) => layout.readManifest(one, call),
  };
}
