// This machine and its store among kiln's commands. Each is loaded when it is needed.
import type { Entry } from "../entry.ts";

export const binfmtEntry: Entry = {
  name: "binfmt",
  summary: "Register emulators with the kernel",
  load: async () => (await import("./binfmt.ts")).binfmt,
};

export const doctorEntry: Entry = {
  name: "doctor",
  summary: "Check what builds need on this machine",
  load: async () => (await import("./doctor.ts")).doctor,
};

export const duEntry: Entry = {
  name: "du",
  summary: "Show disk usage of the build cache",
  load: async () => (await import("./du.ts")).du,
};

export const pruneEntry: Entry = {
  name: "prune",
  summary: "Remove build cache",
  load: async () => (await import("./prune.ts")).prune,
};
