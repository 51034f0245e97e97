// LLB's ops as the solver runs them.
export { type CacheMounts, openCacheMounts } from "./cache-mounts.ts";
export {
  type ContainerParts,
  type ContainerRun,
  type OpenContainer,
  openContainer,
} from "./container.ts";
export type { FailedExec } from "./exec-op.ts";
export { createEarlierCopies } from "./file/earlier-copy.ts";
export { type FileView, readView, resolveInView } from "./file/view.ts";
export { placeOf } from "./locate-failures.ts";
export { createOp, type OpDefinition, type OpParts } from "./ops.ts";
export type { OpResult } from "./result.ts";
export { findSource, type Sources } from "./source-op.ts";
export { withView } from "./views.ts";
