// kiln imagetools create: a new image under new names, from images that are in registries already.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { goJson, KilnError, runAll, writeFileAtomic } from "../../../base/index.ts";
import { descriptorJson, hostPlatform } from "../../../formats/oci/index.ts";
import {
  type Combined,
  type CombineOptions,
  combineSources,
} from "../../../storage/image/index.ts";
import { type Flags, parseAnnotations, parsePlatforms } from "../../flags/index.ts";
import { type ProgressMode, progressModes } from "../../progress/index.ts";
import { namedFileError } from "../build/named-file.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";
import { withProgress } from "../step-progress.ts";
import { openPlaces, type Place, type Places } from "./image-places.ts";
import { type OpenSource, openSource, parseSource, placeSources } from "./image-sources.ts";
import { groupTargets, type ImageTarget, stageImage, tagImage } from "./image-targets.ts";

const createFlags = {
  annotation: {
    type: "stringArray",
    value: "type:key=value",
    usage: "Add annotation to the image (index: or manifest-descriptor[platform]:)",
  },
  append: { type: "bool", usage: "Append to existing manifest" },
  "dry-run": { type: "bool", usage: "Show final image instead of pushing" },
  file: {
    type: "stringArray",
    short: "f",
    value: "file",
    usage: "Read source descriptor from file",
  },
  "metadata-file": {
    type: "string",
    value: "file",
    usage: "Write create result metadata to a file",
  },
  platform: {
    type: "stringArray",
    short: "p",
    value: "os/arch",
    usage: "Filter specified platforms of target image",
  },
  "prefer-index": {
    type: "bool",
    default: "true",
    usage:
      "When only a single source is specified, prefer outputting an image index or manifest list instead of performing a carbon copy",
  },
  progress: {
    type: "string",
    default: "auto",
    value: "mode",
    usage: "Set type of progress output (auto, none, plain, rawjson, tty)",
  },
  tag: { type: "stringArray", short: "t", value: "name", usage: "Set reference for new image" },
} as const;

export const imagetoolsCreate: Command = defineCommand({
  spec: {
    path: ["imagetools", "create"],
    argsUsage: "[SOURCE...]",
    args: { min: 0, max: Number.POSITIVE_INFINITY },
    summary: "Create a new image based on source images",
    about:
      "A source is a name, a digest in the same repository, a descriptor in JSON, or oci-layout://DIRECTORY[:TAG][@DIGEST]; tags may be in other registries and layouts, too: what the image consists of is copied there. Attestations stay with their images. Nothing is tagged before everything is copied everywhere.",
    examples: [
      {
        what: "Join the images of several processors under one name",
        run: "kiln imagetools create -t registry/app:1 registry/app:1-amd64 registry/app:1-arm64",
      },
      {
        what: "Give an image a second name in another registry",
        run: "kiln imagetools create -t other/app:1 registry/app:1",
      },
      {
        what: "See what adding an image would make",
        run: "kiln imagetools create --append --dry-run -t registry/app:1 registry/app:1-riscv64",
      },
    ],
    flags: createFlags,
  },
  run: create,
});

async function create(
  flags: Flags<typeof createFlags>,
  args: readonly string[],
  world: RunWorld,
): Promise<number> {
  const { values } = flags;
  checkFlags(flags, args);
  const options = combineOptions(flags);
  const mode = progressMode(values.progress);
  using places = await openPlaces(world);
  const named = values.tag.filter(Boolean).map((tag) => places.place(tag));
  const targets = groupTargets(named);
  const sources = await openSources(flags, args, named, places, world);
  const combined = combineSources(sources, options);
  if (values["dry-run"]) {
    world.stdout.write(combined.data);
    world.stdout.write("\n");
    return 0;
  }
  await publish(targets, combined, sources, mode, world);
  if (values["metadata-file"] !== "")
    writeMetadata(resolve(world.cwd, values["metadata-file"]), combined, targets);
  return 0;
}

function checkFlags({ values }: Flags<typeof createFlags>, args: readonly string[]): void {
  if (args.length === 0 && values.file.length === 0) {
    throw new KilnError("FLAG_INVALID", "no sources: nothing to make an image from", {
      hint: "Name the images to join, or descriptor files with -f.",
    });
  }
  if (values.tag.filter(Boolean).length > 0) return;
  if (values.append) throw new KilnError("FLAG_INVALID", "--append needs a --tag to append to");
  if (!values["dry-run"]) {
    throw new KilnError("FLAG_INVALID", "there is no name to push to", {
      hint: "Set --tag, or --dry-run to see what would be made.",
    });
  }
}

function combineOptions({ values }: Flags<typeof createFlags>): CombineOptions {
  const host = hostPlatform(process.arch);
  const annotations = parseAnnotations(values.annotation, host);
  const unfit = annotations.find(({ type }) => type !== "index" && type !== "manifest-descriptor");
  if (unfit) {
    const what =
      unfit.type === "" ? "an annotation without a type" : `annotations of type ${unfit.type}`;
    throw new KilnError(
      "FLAG_INVALID",
      `${what} cannot be given to what is made from finished images`,
      {
        hint: `Write index:${unfit.key}=... for the whole, or manifest-descriptor:${unfit.key}=... for its entries.`,
      },
    );
  }
  const ofIndex = annotations.filter(({ type }) => type === "index");
  return {
    platforms: parsePlatforms(values.platform, host),
    preferIndex: values["prefer-index"],
    indexAnnotations: Object.fromEntries(ofIndex.map(({ key, value }) => [key, value])),
    entryAnnotations: annotations
      .filter(({ type }) => type === "manifest-descriptor")
      .map(({ platform, key, value }) => ({ platform, key, value })),
  };
}

/** The value of `--progress` for commands that are no builds. */
export function progressMode(text: string): ProgressMode {
  const found = progressModes.find((mode) => mode === text);
  if (found) return found;
  throw new KilnError("FLAG_INVALID", `invalid value ${JSON.stringify(text)} for --progress`, {
    hint: `Modes are ${progressModes.join(", ")}.`,
  });
}

async function openSources(
  { values }: Flags<typeof createFlags>,
  args: readonly string[],
  named: readonly Place[],
  places: Places,
  world: RunWorld,
): Promise<readonly OpenSource[]> {
  const files = values.file.map((file) => readSource(resolve(world.cwd, file)));
  const texts = [...files, ...args].map((text) => parseSource(text, places));
  const first = values.append ? named.slice(0, 1) : [];
  const all = [...first.map((place) => ({ kind: "place", place }) as const), ...texts];
  const placed = placeSources(all, named, places);
  return runAll(placed, (source, call) => openSource(source, { ...world, call }), world.call);
}

function readSource(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw namedFileError(error, `reading the source descriptor ${file}`);
  }
}

async function publish(
  targets: readonly ImageTarget[],
  combined: Combined,
  sources: readonly OpenSource[],
  mode: ProgressMode,
  world: RunWorld,
): Promise<void> {
  await withProgress(mode, world, async ({ step }) => {
    await runAll(
      targets,
      ({ place }, call) =>
        step(`[internal] copying to ${place.repository}`, (say) =>
          stageImage(place, combined, sources, say, call),
        ),
      world.call,
    );
    for (const { place, tags } of targets) {
      for (const tag of tags) {
        await step(`[internal] pushing ${place.repository}:${tag}`, async (say) => {
          say(`pushing ${combined.descriptor.digest} to ${place.repository}:${tag}`);
          await tagImage(place, tag, combined, world.call);
        });
      }
    }
  });
}

function writeMetadata(
  file: string,
  { descriptor }: Combined,
  targets: readonly ImageTarget[],
): void {
  const names = targets.flatMap(({ place, tags }) =>
    tags.map((tag) => `${place.repository}:${tag}`),
  );
  const document = {
    "containerimage.descriptor": descriptorJson(descriptor),
    "image.name": names.join(","),
  };
  try {
    writeFileAtomic(file, goJson(document, 2), 0o644);
  } catch (error) {
    throw namedFileError(error, `writing ${file}`);
  }
}
