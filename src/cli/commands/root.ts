// All commands, in the order in which help lists them. Commands are loaded when they are needed.
import { buildctl } from "./buildctl/entries.ts";
import {
  createEntry,
  dialStdioEntry,
  inspectEntry,
  lsEntry,
  rmEntry,
  stopEntry,
  useEntry,
} from "./builders/entries.ts";
import { dapEntry } from "./dap/entries.ts";
import { debugEntry } from "./debug/entries.ts";
import type { Entry } from "./entry.ts";
import { historyEntry } from "./history/entries.ts";
import {
  copyEntry,
  diffEntry,
  imageEntry,
  imagetoolsEntry,
  loginEntry,
  logoutEntry,
  manifestEntry,
} from "./images/entries.ts";
import { binfmtEntry, doctorEntry, duEntry, pruneEntry } from "./machine/entries.ts";
import { installEntry, pluginEntry, uninstallEntry } from "./plugin/entries.ts";

/** All commands. The summaries here are those of the commands' own specs (a test compares). */
export const root: Entry = {
  name: "kiln",
  summary: "Build container images for every processor: one command, one image name",
  about: "No daemon and no set-up: the build runs in this process.",
  children: [
    {
      name: "bake",
      aliases: ["f"],
      summary: "Build from a file",
      load: async () => (await import("./bake/bake.ts")).bake,
    },
    binfmtEntry,
    {
      name: "build",
      aliases: ["b"],
      summary: "Start a build",
      load: async () => (await import("./build/build.ts")).build,
    },
    buildctl,
    copyEntry,
    dapEntry,
    debugEntry,
    doctorEntry,
    createEntry,
    dialStdioEntry,
    diffEntry,
    duEntry,
    historyEntry,
    imageEntry,
    imagetoolsEntry,
    inspectEntry,
    installEntry,
    loginEntry,
    logoutEntry,
    lsEntry,
    manifestEntry,
    pluginEntry,
    pruneEntry,
    rmEntry,
    {
      name: "run",
      summary: "Run a command in a new container of an image",
      load: async () => (await import("./run/run.ts")).run,
    },
    stopEntry,
    uninstallEntry,
    useEntry,
    {
      name: "serve",
      summary: "Run a daemon that speaks BuildKit's protocol",
      load: async () => (await import("./serve/serve.ts")).serve,
    },
    {
      name: "version",
      summary: "Show version information",
      load: async () => (await import("./version.ts")).version,
    },
  ],
};
