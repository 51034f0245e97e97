// Images: looking up names in registries, what an image of one platform is made of, and what is known of both here.
export * from "./attestations.ts";
export * from "./blob-reader.ts";
export * from "./combine.ts";
export * from "./compare-images.ts";
export * from "./copy-image.ts";
export * from "./image.ts";
export * from "./image-files.ts";
export * from "./load-archive.ts";
export * from "./oci-layout.ts";
export * from "./origins.ts";
export * from "./records.ts";
export * from "./resolve-image.ts";
export * from "./save-archive.ts";
