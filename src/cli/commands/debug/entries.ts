// Builds that can be entered among kiln's commands. Each is loaded when it is needed.
import type { Entry } from "../entry.ts";
import { debugFlags } from "./flags.ts";

export const debugEntry: Entry = {
  name: "debug",
  summary: "Start builds that can be entered",
  passed: debugFlags,
  children: [
    {
      name: "build",
      aliases: ["b"],
      summary: "Start a build that can be entered where it fails",
      load: async () => (await import("./debug.ts")).debugBuild,
    },
  ],
};
