// kiln diff: what differs between two images.
import { KilnError, readAll } from "../../../base/index.ts";
import { hostPlatform, maxManifestSize } from "../../../formats/oci/index.ts";
import { parsePlatforms } from "../../flags/index.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";
import { type ComparedImage, diffImages } from "./image-diff.ts";
import { diffJson, diffText } from "./image-diff-text.ts";
import { descriptorAt, namedPlace } from "./image-places.ts";
import { type LocalImages, localName, openLocalImages } from "./local-images.ts";

export const diff: Command = defineCommand({
  spec: {
    path: ["diff"],
    argsUsage: "IMAGE IMAGE",
    args: { min: 2, max: 2 },
    summary: "Explain how two images differ",
    about:
      "Compares configuration, layers and files of each platform. An IMAGE is a name in the local store or else in a registry, or oci-layout://DIRECTORY[:TAG][@DIGEST]. Exits with 1 when the images differ.",
    examples: [
      {
        what: "See what a rebuild changed",
        run: "kiln diff registry.example.com/app:1.0 registry.example.com/app:1.1",
      },
      {
        what: "Compare two layouts, whatever the times of their files",
        run: "kiln diff --ignore-times oci-layout://one oci-layout://two",
      },
    ],
    flags: {
      all: { type: "bool", usage: "Show every difference" },
      format: {
        type: "string",
        value: "text|json",
        default: "text",
        usage: "How differences are told",
      },
      "ignore-times": { type: "bool", usage: "Times of files do not count" },
      platform: {
        type: "stringArray",
        short: "p",
        value: "os/arch",
        usage: "Compare these platforms only",
      },
    },
  },
  async run({ values }, [first = "", second = ""], world) {
    if (values.format !== "text" && values.format !== "json")
      throw new KilnError(
        "FLAG_INVALID",
        `invalid value ${JSON.stringify(values.format)} for --format`,
        {
          hint: "Formats are text and json.",
        },
      );
    const platforms = parsePlatforms(values.platform, hostPlatform(process.arch));
    using local = await openLocalImages(world);
    const before = await openCompared(first, local, world);
    const after = await openCompared(second, local, world);
    const options = { platforms, ignoreTimes: values["ignore-times"] };
    const diffs = await diffImages(before, after, options, world.call);
    const names = [before.name, after.name] as const;
    const most = values.all ? Number.POSITIVE_INFINITY : undefined;
    world.stdout.write(
      values.format === "json"
        ? diffJson(names, diffs)
        : diffText(names, diffs, world.stdout.style, most),
    );
    return diffs.length === 0 ? 0 : 1;
  },
});

/** The local store's image of that name, else the registry's. */
async function openCompared(
  text: string,
  local: LocalImages,
  world: RunWorld,
): Promise<ComparedImage> {
  const record = text.includes("://") ? undefined : local.records.get(localName(text));
  if (record) {
    const { content } = local;
    return {
      name: record.name,
      root: record.descriptor,
      read: local.read,
      readManifest: (one, call) =>
        readAll(content.read(one, call), maxManifestSize, `manifest ${one.digest}`),
    };
  }
  const place = local.places.place(text);
  const repository = place.pull();
  return {
    name: namedPlace(place),
    root: await descriptorAt(place, world),
    read: (blob, call) => repository.read(blob, call),
    readManifest: (one, call) => repository.readManifest(one, call),
  };
}
