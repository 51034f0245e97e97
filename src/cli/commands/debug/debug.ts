// kiln debug build: a build that can be entered, where it failed or when it has succeeded.
import { KilnError } from "../../../base/index.ts";
import type { Flags } from "../../flags/index.ts";
import { type BuildFlags, buildFlags } from "../build/flags.ts";
import { type Command, defineCommand } from "../command.ts";
import { debugFlags } from "./flags.ts";

const flags = { ...buildFlags, ...debugFlags } as const;

export const debugBuild: Command = defineCommand({
  opensStore: true,
  spec: {
    path: ["debug", "build"],
    aliases: ["b"],
    argsUsage: "PATH | URL | -",
    args: { min: 1, max: 1 },
    summary: "Start a build that can be entered where it fails",
    about:
      "Takes the flags of 'kiln build'. When a RUN fails, a shell starts in its file system as it was at that moment, with its mounts, variables and working directory. Ctrl-a c leaves the shell for a monitor, where 'help' lists commands. Without a terminal, commands of the monitor are read from standard input, and --copy takes files out.",
    examples: [
      { what: "A shell where the build fails", run: "kiln debug build ." },
      {
        what: "Look at a file of the failed step, without a terminal",
        run: "kiln debug build --copy /work/config.log=config.log .",
      },
      {
        what: "Run a command in the result",
        run: "kiln debug build --on always --invoke 'ls -l /' .",
      },
    ],
    flags,
  },
  async run(given, args, world) {
    const { on, invoke, copy } = given.values;
    if (on !== "error" && on !== "always")
      throw new KilnError("FLAG_INVALID", `--on is error or always, not ${JSON.stringify(on)}`);
    const { debugWorld } = await import("./world.ts");
    const { runBuild } = await import("../build/run.ts");
    const own = given as unknown as Flags<BuildFlags>;
    return await runBuild(own, args, debugWorld({ on, invoke, copy }, world));
  },
});
