// Running the processes of steps.
export { type Emulator, findEmulators, processors, registration } from "./emulation/emulators.ts";
export {
  binfmtDirectory,
  type Handler,
  type HandlerTable,
  readHandlerTable,
  worksInContainers,
} from "./emulation/host-handlers.ts";
export * from "./executor.ts";
export * from "./open-executor.ts";
export { createProcessSlots, type ProcessSlots } from "./process-slots.ts";
export { findInPath } from "./runtime.ts";
