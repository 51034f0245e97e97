// Running the processes of steps.
export {
  CdiDevices,
  type CdiOptions,
  type Device,
  isSameOrKind,
  type LentDevices,
  type WantedDevice,
} from "./cdi/devices.ts";
export { readProgramHead } from "./elf.ts";
export { type Emulator, findEmulators, processors } from "./emulation/emulators.ts";
export {
  binfmtDirectory,
  emulatorVersion,
  type Handler,
  type HandlerTable,
  hostHandlerEmulations,
  readHandlerTable,
  worksInContainers,
} from "./emulation/host-handlers.ts";
export * from "./emulation/host-table.ts";
export { nativeEmulation, readMachine } from "./emulation/native.ts";
export * from "./executor.ts";
export type { DnsSettings } from "./network/dns.ts";
export type { NetworkMode } from "./network/networks.ts";
export * from "./open-executor.ts";
export { createProcessSlots, type ProcessSlots } from "./process-slots.ts";
export { findInPath } from "./runtime.ts";
