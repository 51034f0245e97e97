// kiln copy: an image with everything that belongs to it, between registries and OCI layouts.

import {
  type Descriptor,
  hostPlatform,
  parseManifestDocument,
} from "../../../formats/oci/index.ts";
import { type Combined, combineSources, copyImage } from "../../../storage/image/index.ts";
import { parsePlatforms } from "../../flags/index.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";
import { withProgress } from "../step-progress.ts";
import { openPlaces, type Place } from "./image-places.ts";
import { openSource } from "./image-sources.ts";
import { groupTargets, mountFrom, type Say, stageImage, tagImage } from "./image-targets.ts";
import { progressMode } from "./imagetools-create.ts";

/** What refers to what refers to an image is followed this deep. */
const maxReferrerDepth = 3;

export const copy: Command = defineCommand({
  spec: {
    path: ["copy"],
    argsUsage: "SOURCE TARGET",
    args: { min: 2, max: 2 },
    summary: "Copy an image between registries and OCI layouts",
    about:
      "Copies all platforms, attestations, and what refers to the image (OCI 1.1 referrers), byte for byte; what is there already is not sent. SOURCE and TARGET are names in registries, or oci-layout://DIRECTORY[:TAG][@DIGEST]. A target without a tag gets the source's.",
    examples: [
      { what: "Mirror an image", run: "kiln copy alpine:3.20 registry.example/mirror/alpine" },
      { what: "Take an image along as files", run: "kiln copy alpine oci-layout://alpine" },
    ],
    flags: {
      platform: {
        type: "stringArray",
        short: "p",
        value: "os/arch",
        usage: "Copy only these platforms, which makes another index",
      },
      progress: {
        type: "string",
        default: "auto",
        value: "mode",
        usage: "Set type of progress output (auto, none, plain, rawjson, tty)",
      },
      referrers: {
        type: "bool",
        default: "true",
        usage: "Copy what refers to the image, such as signatures",
      },
    },
  },
  async run({ values }, [from = "", to = ""], world) {
    const mode = progressMode(values.progress);
    const platforms = parsePlatforms(values.platform, hostPlatform(process.arch));
    using places = await openPlaces(world);
    const place = places.place(from);
    const named = places.place(to);
    const [target] = groupTargets([named]);
    const source = await openSource({ source: { kind: "place", place }, place }, world);
    const options = { platforms, preferIndex: false, indexAnnotations: {}, entryAnnotations: [] };
    const combined = combineSources([source], options);
    const tag = named.tag ?? place.tag ?? "latest";
    await withProgress(mode, world, ({ step }) =>
      step(`copying ${place.name} to ${named.repository}:${tag}`, async (say) => {
        await stageImage(named, combined, [source], say, world.call);
        if (values.referrers) await copyReferrers(place, named, combined, say, world);
        await tagImage(target?.place ?? named, tag, combined, world.call);
      }),
    );
    world.stdout.write(`${named.repository}:${tag}@${combined.descriptor.digest}\n`);
    return 0;
  },
});

/** Of the image and of each that an index lists. */
async function copyReferrers(
  source: Place,
  target: Place,
  { descriptor, data }: Combined,
  say: Say,
  world: RunWorld,
): Promise<void> {
  const document = parseManifestDocument(data, descriptor.mediaType);
  const entries = document.kind === "index" ? document.index.manifests : [];
  for (const subject of [descriptor, ...entries])
    await copyReferrersOf(subject, source, target, say, maxReferrerDepth, world);
}

async function copyReferrersOf(
  subject: Descriptor,
  source: Place,
  target: Place,
  say: Say,
  depth: number,
  world: RunWorld,
): Promise<void> {
  const listing = source.listing();
  if (!listing || depth === 0) return;
  for (const referrer of await listing.referrers(subject.digest, world.call)) {
    say(`copying ${referrer.digest}, which refers to ${subject.digest}`);
    const request = {
      from: source.pull(),
      to: target.push(),
      mountFrom: mountFrom(source, target),
    };
    await copyImage(referrer, request, world.call);
    await target.listing()?.addReferrer(subject.digest, referrer, world.call);
    await copyReferrersOf(referrer, source, target, say, depth - 1, world);
  }
}
