// kiln version: which Kiln this is.
import { type Command, defineCommand } from "./command.ts";

/** The released version; package.json has the same (a test compares). */
export const kilnVersion = "0.1.0";

/** The version of docker's builder plugin whose words Kiln speaks where it stands in for it; bin/kiln has the same. */
export const buildxVersion: string = `v0.36.0+kiln.${kilnVersion}`;

export const version: Command = defineCommand({
  spec: {
    path: ["version"],
    args: { min: 0, max: 0 },
    summary: "Show version information",
    flags: {},
  },
  async run(_flags, _args, world) {
    // Who asks docker's plugin reads three words: a package, a version, and which build it is.
    if (world.env["KILN_PLUGIN"] === "buildx") {
      world.stdout.write(`github.com/docker/buildx ${buildxVersion} kiln-${kilnVersion}\n`);
      return 0;
    }
    world.stdout.write(`kiln ${kilnVersion}\n`);
    return 0;
  },
});
