// `kiln build --verify`: the same build once more, from nothing, and what came out differently.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import type { ExportRequest } from "../../../api/index.ts";
import { type AsyncStack, KilnError } from "../../../base/index.ts";
import { openOciLayout } from "../../../storage/image/index.ts";
import { openClientConfig } from "../builders/client-config.ts";
import type { RunWorld } from "../command.ts";
import { type ComparedImage, diffImages, diffText } from "../images/image-diff.ts";
import type { Receiver } from "./outputs.ts";
import type { BuildPlan } from "./plan.ts";

/** Where both results go to be compared. */
export interface Verification {
  /** The first build, which also writes its image as a layout. */
  readonly first: BuildPlan;
  /** The second one, which writes nothing else, runs every step anew and has cache mounts of its own. */
  readonly second: BuildPlan;
  /** Throws `NOT_REPRODUCIBLE` with what differs first. */
  compare(): Promise<void>;
}

/** What it takes to build twice. What it makes on the disk goes with `owned`. */
export async function prepareVerification(
  plan: BuildPlan,
  world: RunWorld,
  owned: AsyncStack,
): Promise<Verification> {
  if (plan.uploads.size > 0) {
    throw new KilnError("FLAG_INVALID", "--verify cannot read standard input twice", {
      hint: "Build from a directory, or from an archive in a file.",
    });
  }
  const { root } = await openClientConfig(world);
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const place = mkdtempSync(join(root, "verify-"));
  owned.defer(() => rmSync(place, { recursive: true, force: true }));
  const layouts = ["first", "second"].map((name) => join(place, name)) as [string, string];
  const image = plan.exporters.find(({ type }) => type !== "local" && type !== "tar");
  const request = layoutRequest(image);
  return {
    first: {
      ...plan,
      exporters: [...plan.exporters, request],
      receivers: [...plan.receivers, receiver(layouts[0])],
    },
    second: {
      ...plan,
      attrs: {
        ...withoutAttestations(plan.attrs),
        "no-cache": "",
        "build-arg:BUILDKIT_CACHE_MOUNT_NS": basename(place),
      },
      exporters: [request],
      receivers: [receiver(layouts[1])],
    },
    compare: () => compare(layouts, world),
  };
}

/** The image as the build makes it, without its names: those are no part of what is compared. */
function layoutRequest(image: ExportRequest | undefined): ExportRequest {
  const kept =
    /^(compression|compression-level|force-compression|oci-mediatypes|rewrite-timestamp|source-date-epoch)$|^annotation/;
  const attrs = Object.entries(image?.attrs ?? {}).filter(([name]) => kept.test(name));
  return { type: "oci", attrs: { ...Object.fromEntries(attrs), tar: "false" } };
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
