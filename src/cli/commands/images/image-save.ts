// kiln image save: images of the local store as one archive.
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Bytes, KilnError } from "../../../base/index.ts";
import { saveArchive } from "../../../storage/image/index.ts";
import { namedFileError } from "../build/named-file.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";
import { openLocalImages } from "./local-images.ts";

export const imageSave: Command = defineCommand({
  spec: {
    path: ["image", "save"],
    argsUsage: "NAME [NAME...]",
    args: { min: 1, max: Number.POSITIVE_INFINITY },
    summary: "Save images of the local store to an archive",
    about:
      "The archive is an OCI layout with all platforms, which docker load reads too where an image is for one platform only. Without --output it goes to standard output.",
    flags: {
      output: {
        type: "string",
        short: "o",
        value: "file",
        usage: "Write to a file instead of standard output",
      },
    },
  },
  async run({ values }, names, world) {
    if (values.output === "" && world.stdout.isTerminal) {
      throw new KilnError("FLAG_INVALID", "an archive is nothing for a terminal", {
        hint: "Write it to a file with --output, or redirect standard output.",
      });
    }
    using local = await openLocalImages(world);
    const images = names.map((name) => local.find(name));
    const archive = saveArchive(images, local.read, world.call);
    if (values.output !== "") await writeWhole(resolve(world.cwd, values.output), archive, world);
    else for await (const chunk of archive) world.stdout.write(chunk);
    return 0;
  },
});

/** Under its name only when it is whole. */
async function writeWhole(file: string, archive: Bytes, world: RunWorld): Promise<void> {
  const partial = `${file}.partial`;
  try {
    await pipeline(archive, createWriteStream(partial), { signal: world.call.signal });
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw namedFileError(error, `writing ${file}`);
  }
}
