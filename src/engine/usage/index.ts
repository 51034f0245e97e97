// What lies on disk, how large it is, and what of it can go.
export { type Activity, createActivity } from "./activity.ts";
export { type Collector, createCollector } from "./collector.ts";
export type { UsageParts } from "./parts.ts";
export { diskSpace, diskUsage, prune } from "./prune.ts";
export { verifyStore } from "./verify.ts";
