// Words without a domain: what every floor above may use.
export * from "./abort.ts";
export * from "./bytes.ts";
export * from "./closest.ts";
export * from "./digest.ts";
export * from "./dispose.ts";
export * from "./errors.ts";
export * from "./file-name.ts";
export * from "./go-values.ts";
export * from "./json.ts";
export * from "./leases.ts";
export * from "./limiter.ts";
export * from "./liveness.ts";
export * from "./log.ts";
export * from "./once.ts";
export * from "./root-path.ts";
export * from "./tasks.ts";
export * from "./temp.ts";
