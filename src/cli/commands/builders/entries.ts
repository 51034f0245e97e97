// Builders among kiln's commands. Each is loaded when it is needed.
import type { Entry } from "../entry.ts";

export const createEntry: Entry = {
  name: "create",
  summary: "Create a new builder instance",
  load: async () => (await import("./create.ts")).create,
};

export const dialStdioEntry: Entry = {
  name: "dial-stdio",
  summary: "Proxy current stdio streams to builder instance",
  load: async () => (await import("./dial-stdio.ts")).dialStdio,
};

export const inspectEntry: Entry = {
  name: "inspect",
  summary: "Inspect current builder instance",
  load: async () => (await import("./inspect.ts")).inspect,
};

export const lsEntry: Entry = {
  name: "ls",
  summary: "List builder instances",
  load: async () => (await import("./ls.ts")).ls,
};

export const rmEntry: Entry = {
  name: "rm",
  summary: "Remove one or more builder instances",
  load: async () => (await import("./rm.ts")).rm,
};

export const stopEntry: Entry = {
  name: "stop",
  summary: "Stop builder instance",
  load: async () => (await import("./stop.ts")).stop,
};

export const useEntry: Entry = {
  name: "use",
  summary: "Set the current builder instance",
  load: async () => (await import("./use.ts")).use,
};
