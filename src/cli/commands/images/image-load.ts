// kiln image load: images from an archive, under the names that the user asks for and no others.
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { type Bytes, KilnError } from "../../../base/index.ts";
import { type LoadedImage, loadArchive } from "../../../storage/image/index.ts";
import { type Flags, parseTag } from "../../flags/index.ts";
import { namedFileError } from "../build/named-file.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";
import { localName, openLocalImages } from "./local-images.ts";

const loadFlags = {
  all: { type: "bool", short: "a", usage: "Take all names that the archive gives" },
  input: {
    type: "string",
    short: "i",
    value: "file",
    usage: "Read from a file instead of standard input",
  },
  tag: { type: "string", short: "t", value: "name", usage: "Name for the archive's only image" },
} as const;

export const imageLoad: Command = defineCommand({
  spec: {
    path: ["image", "load"],
    argsUsage: "[NAME...]",
    args: { min: 0, max: Number.POSITIVE_INFINITY },
    summary: "Load images from an archive into the local store",
    about:
      "An archive can say any name. Only those given here are set: NAMEs of the archive, all of them with --all, or a name of your own with --tag.",
    examples: [
      {
        what: "Load an image under a name of one's own",
        run: "kiln image load -i app.tar --tag app:1",
      },
    ],
    flags: loadFlags,
  },
  async run(flags, names, world) {
    const { values } = flags;
    const wanted = new Set(names.map(localName));
    const chosen = [values.all, values.tag !== "", names.length > 0].filter(Boolean).length;
    if (chosen > 1)
      throw new KilnError("FLAG_INVALID", "NAME, --all and --tag contradict each other");
    const tag = values.tag === "" ? undefined : parseTag(values.tag);
    using local = await openLocalImages(world);
    const images = await loadArchive(input(flags, world), local.content, world.call);
    const named =
      tag === undefined ? chooseNames(images, wanted, values.all) : [renamed(images, tag)];
    for (const { name, descriptor } of named) {
      local.records.set({ name, descriptor, createdAt: world.now() });
      world.stdout.write(`Loaded image: ${name}\n`);
    }
    return 0;
  },
});

async function* input({ values }: Flags<typeof loadFlags>, world: RunWorld): Bytes {
  if (values.input === "") {
    if (world.stdin.isTerminal)
      throw new KilnError(
        "FLAG_INVALID",
        "there is no archive: set --input, or redirect standard input",
      );
    yield* world.stdin;
    return;
  }
  const file = resolve(world.cwd, values.input);
  try {
    yield* createReadStream(file, { signal: world.call.signal });
  } catch (error) {
    throw namedFileError(error, `reading ${file}`);
  }
}

interface NamedImage extends LoadedImage {
  readonly name: string;
}

function chooseNames(
  images: readonly LoadedImage[],
  wanted: ReadonlySet<string>,
  all: boolean,
): readonly NamedImage[] {
  const named = images.filter((image): image is NamedImage => image.name !== undefined);
  const shown = named.map(({ name }) => name).join(", ");
  const chosen = all ? named : named.filter(({ name }) => wanted.has(name));
  const missing = [...wanted].filter((name) => !named.some((image) => image.name === name));
  if (missing.length === 0 && chosen.length > 0) return chosen;
  const why =
    missing.length > 0 ? `the archive has no image ${missing.join(", ")}` : "no name was asked for";
  throw new KilnError("IMAGE_NOT_FOUND", `${why}: it names ${shown || "none"}`, {
    hint:
      shown === ""
        ? "Give a name of your own with --tag."
        : "Write the names that are to be set, or --all.",
  });
}

function renamed(images: readonly LoadedImage[], name: string): NamedImage {
  const digests = new Set(images.map(({ descriptor }) => descriptor.digest));
  const [image] = images;
  if (image && digests.size === 1) return { name, descriptor: image.descriptor };
  throw new KilnError(
    "FLAG_INVALID",
    `--tag is for one image, but the archive holds ${digests.size}`,
  );
}
