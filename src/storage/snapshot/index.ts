// File systems as stacks of layers, their views, and what moves files in and out of them.
export { applyTime, applyXattrs, canChown } from "./attributes.ts";
export * from "./copy-snapshotter.ts";
export * from "./extract.ts";
export { type TreeTarOptions, treeTar } from "./layer-tar.ts";
export type {
  CollectableSnapshotter,
  SnapshotterOptions,
  StoredLayer,
  StoredSnapshots,
  StoredStack,
} from "./layered-snapshotter.ts";
export { enterMountNamespace, mountAt, withMounted } from "./mount.ts";
export { noteNewFiles } from "./new-files.ts";
export * from "./open-snapshotter.ts";
export * from "./overlay-snapshotter.ts";
export { decodeOwner, encodeOwner, noteOwner, ownerNote } from "./owner-note.ts";
export { removeTree } from "./remove-tree.ts";
export * from "./snapshot.ts";
export * from "./syscalls.ts";
export {
  copySparse,
  deviceOf,
  isPortableXattr,
  notedOwner,
  portableXattrs,
  readXattrs,
} from "./tree-files.ts";
