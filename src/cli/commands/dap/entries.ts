// Debugging by editors among kiln's commands. Loaded when it is needed.
import type { Entry } from "../entry.ts";

export const dapEntry: Entry = {
  name: "dap",
  summary: "Start debuggers that editors talk to",
  children: [
    {
      name: "build",
      summary: "Start a build for an editor's debugger",
      load: async () => (await import("./build.ts")).dapBuild,
    },
  ],
};
