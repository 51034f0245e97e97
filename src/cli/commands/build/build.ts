// kiln build: what it promises.

import { type Command, defineCommand } from "../command.ts";
import { buildFlags } from "./flags.ts";

export const build: Command = defineCommand({
  opensStore: true,
  spec: {
    path: ["build"],
    aliases: ["b"],
    argsUsage: "PATH | URL | -",
    args: { min: 1, max: 1 },
    summary: "Start a build",
    about:
      "Builds an image from a Dockerfile and the files of its context, for any number of platforms at once. The context is a directory, a git repository (URL#REF:DIRECTORY), an archive behind a URL, or what comes on standard input: a Dockerfile or an archive. Without an output the image is kept in Kiln's own store, where 'kiln run' finds it by its tag.",
    examples: [
      { what: "Build the current directory and name the image", run: "kiln build -t app:latest ." },
      {
        what: "Build for three processors and push one name",
        run: "kiln build --platform linux/amd64,linux/arm64,linux/arm/v7 -t registry.example.com/app:1.0 --push .",
      },
      {
        what: "Write the files of a stage to a directory",
        run: "kiln build --target dist -o out .",
      },
      {
        what: "Build a directory of a git repository, as it is under a tag",
        run: "kiln build https://git.example.com/app.git#v1.0:server",
      },
      { what: "Build an archive of files", run: "tar cz . | kiln build -" },
    ],
    flags: buildFlags,
  },
  // What runs builds is loaded when one runs, so that help is quick.
  run: async (flags, args, world) => (await import("./run.ts")).runBuild(flags, args, world),
});
