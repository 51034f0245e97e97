// One build from request to response.
export { SharedPins } from "./attest-result.ts";
export { startBuild } from "./build.ts";
export { allEntitlements, type Entitlement } from "./entitlements.ts";
export type { BuildParts } from "./parts.ts";
export { type RunImageParts, type RunImageRequest, type RunMount, runImage } from "./run-image.ts";
