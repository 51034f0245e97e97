// One build from request to response.
export { type BuildParts, startBuild } from "./build.ts";
