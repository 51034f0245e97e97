// What is said about results beside them: provenance and bills of materials.
export * from "./capture.ts";
export * from "./options.ts";
export * from "./provenance.ts";
export * from "./sbom/packages.ts";
export * from "./sbom/spdx.ts";
