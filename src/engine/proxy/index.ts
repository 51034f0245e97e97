// The proxy that a build's steps may be kept behind: what they ask for over HTTP and HTTPS is judged, passed on and noted.
export { type BuildProxy, createBuildProxy, type ProcessProxy } from "./build-proxy.ts";
export type { Fetched, FetchedMaterial, IncompleteMaterial } from "./capture.ts";
