// How a build is kept apart from the machine: the ladder of ways, which of them work, and entering the chosen one.
export * from "./enter.ts";
export * from "./isolation.ts";
export type { Obstacle } from "./namespace.ts";
export { type IsolationReport, probeIsolation, type RungReport } from "./probe.ts";
