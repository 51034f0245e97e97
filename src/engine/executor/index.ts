// Running the processes of steps.
export * from "./executor.ts";
export * from "./open-executor.ts";
export { createProcessSlots, type ProcessSlots } from "./process-slots.ts";
