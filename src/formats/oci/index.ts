// OCI documents, names and platforms: values in, values out.
export * from "./types.ts";
