// What the two sides of a build promise each other: interfaces and plain data only.
export * from "./bridge.ts";
export * from "./builder.ts";
export * from "./container.ts";
export * from "./events.ts";
export * from "./explanation.ts";
export * from "./history.ts";
export * from "./plan.ts";
export * from "./policy.ts";
export * from "./session.ts";
