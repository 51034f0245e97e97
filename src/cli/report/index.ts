// What people read besides progress: errors, excerpts, tables, numbers.
export { parseColors } from "./colors.ts";
export * from "./error-page.ts";
export * from "./error-text.ts";
export * from "./excerpt.ts";
export * from "./output.ts";
export * from "./style.ts";
export * from "./table.ts";
export * from "./units.ts";
