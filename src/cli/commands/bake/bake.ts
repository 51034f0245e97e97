// kiln bake: what it promises.
import { type Command, defineCommand } from "../command.ts";
import { bakeFlags } from "./flags.ts";

export const bake: Command = defineCommand({
  opensStore: true,
  spec: {
    path: ["bake"],
    aliases: ["f"],
    argsUsage: "[TARGET...]",
    args: { min: 0, max: Number.POSITIVE_INFINITY },
    summary: "Build from a file",
    about:
      "Builds the targets that files in HCL, JSON or Compose's YAML define: all of them at once, each shared step once. Without -f the usual names are looked for: compose.yaml, docker-bake.json, docker-bake.hcl, docker-bake.override.hcl and their like, later ones over earlier ones. Without a TARGET the group or target called default is built. The first argument may be the address of a repository or an archive that has the files.",
    examples: [
      { what: "Build what docker-bake.hcl calls default", run: "kiln bake" },
      {
        what: "Build two targets with another value of a variable",
        run: "kiln bake --var TAG=1.2 app worker",
      },
      {
        what: "Change what a file says for one target, and push all results",
        run: "kiln bake --set app.args.VERSION=2 --push",
      },
      { what: "See what would be built", run: "kiln bake --print" },
    ],
    flags: bakeFlags,
  },
  // What reads files and runs builds is loaded when it is needed, so that help is quick.
  run: async (flags, args, world) => (await import("./run.ts")).runBake(flags, args, world),
});
