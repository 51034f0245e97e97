// buildctl's commands as rows of the command table.
import type { Entry } from "../entry.ts";
import { buildctlFlags } from "./flags.ts";

/** Loaded when they are called, as all commands. */
export const buildctl: Entry = {
  name: "buildctl",
  summary: "Drive a BuildKit daemon with buildctl's commands and flags",
  about:
    "Takes what buildctl takes; also when called as buildctl, through a link of that name. Without --addr and BUILDKIT_HOST it looks for the daemon at its usual socket and fails where there is none. --addr embedded:// does the work in this process, --addr docker:// asks docker's engine, --builder NAME a builder of 'kiln ls'.",
  flags: buildctlFlags,
  program: "buildctl",
  children: [
    {
      name: "build",
      aliases: ["b"],
      summary: "Build with a BuildKit daemon",
      load: async () => (await import("./build.ts")).build,
    },
    {
      name: "debug",
      summary: "Debug utilities",
      flags: buildctlFlags,
      children: [
        {
          name: "ctl",
          summary: "Control build records",
          load: async () => (await import("./debug-ctl.ts")).debugCtl,
        },
        {
          name: "dump-llb",
          summary: "Dump LLB in human-readable format",
          load: async () => (await import("./debug-dump-llb.ts")).debugDumpLlb,
        },
        {
          name: "dump-metadata",
          summary: "Dump the meta in human-readable format",
          load: async () => (await import("./debug-dump-metadata.ts")).debugDumpMetadata,
        },
        {
          name: "get",
          summary: "Retrieve a blob from contentstore",
          load: async () => (await import("./debug-get.ts")).debugGet,
        },
        {
          name: "histories",
          summary: "List build records",
          load: async () => (await import("./debug-histories.ts")).debugHistories,
        },
        {
          name: "info",
          summary: "Display internal information",
          load: async () => (await import("./debug-info.ts")).debugInfo,
        },
        {
          name: "logs",
          summary: "Display build logs",
          load: async () => (await import("./debug-logs.ts")).debugLogs,
        },
        {
          name: "monitor",
          summary: "Display build events",
          load: async () => (await import("./debug-monitor.ts")).debugMonitor,
        },
        {
          name: "workers",
          summary: "List workers",
          load: async () => (await import("./debug-workers.ts")).debugWorkers,
        },
      ],
    },
    {
      name: "dial-stdio",
      summary: "Proxy the stdio stream to the daemon connection",
      hidden: true,
      load: async () => (await import("./dial-stdio.ts")).dialStdio,
    },
    {
      name: "du",
      summary: "Disk usage",
      load: async () => (await import("./du.ts")).du,
    },
    {
      name: "prune",
      summary: "Clean up build cache",
      load: async () => (await import("./prune.ts")).prune,
    },
    {
      name: "prune-histories",
      summary: "Clean up build histories",
      load: async () => (await import("./prune-histories.ts")).pruneHistories,
    },
  ],
};
