// Tar and gzip as pure functions of their input: same bytes in, same bytes out.
export { bunzip2 } from "./bunzip2.ts";
export * from "./compression.ts";
export { type Estargz, type EstargzFacts, estargz } from "./estargz.ts";
export * from "./gzip.ts";
export { isTarHeader } from "./tar-block.ts";
export * from "./tar-entries.ts";
export * from "./tar-header.ts";
export * from "./tar-reader.ts";
export * from "./tar-writer.ts";
export { unxz } from "./unxz.ts";
export { hasZstd, type ZstdOptions, zstd } from "./zstd.ts";
