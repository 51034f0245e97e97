// Directories of this machine as lists of files: scanned with filters, lent to the other side, filled with what it lends.
export * from "./entry-order.ts";
export * from "./file-type.ts";
export * from "./fill.ts";
export * from "./filter.ts";
export * from "./scan.ts";
export * from "./share.ts";
export * from "./share-trees.ts";
