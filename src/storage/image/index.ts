export * from "./image.ts";
export * from "./origins.ts";
export * from "./records.ts";
