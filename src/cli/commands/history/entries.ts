// The history among kiln's commands. Each is loaded when it is needed.
import type { Entry } from "../entry.ts";

export const historyEntry: Entry = {
  name: "history",
  summary: "Commands to work on build records",
  children: [
    {
      name: "export",
      summary: "Export build records into Docker Desktop bundle",
      load: async () => (await import("./export.ts")).historyExport,
    },
    {
      name: "import",
      summary: "Import build records from a .dockerbuild file",
      load: async () => (await import("./import.ts")).historyImport,
    },
    {
      name: "inspect",
      summary: "Inspect a build record",
      load: async () => (await import("./inspect.ts")).historyInspect,
      children: [
        {
          name: "attachment",
          summary: "Inspect a build record attachment",
          load: async () => (await import("./attachment.ts")).historyAttachment,
        },
      ],
    },
    {
      name: "logs",
      summary: "Print the logs of a build record",
      load: async () => (await import("./logs.ts")).historyLogs,
    },
    {
      name: "ls",
      summary: "List build records",
      load: async () => (await import("./ls.ts")).historyLs,
    },
    {
      name: "open",
      summary: "Write a build record as a page for the browser",
      load: async () => (await import("./open.ts")).historyOpen,
    },
    {
      name: "rm",
      summary: "Remove build records",
      load: async () => (await import("./rm.ts")).historyRm,
    },
    {
      name: "trace",
      summary: "Show the OpenTelemetry trace of a build record",
      load: async () => (await import("./trace.ts")).historyTrace,
    },
  ],
};
