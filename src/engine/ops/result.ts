// What every op yields: a snapshot, or nothing at all (scratch).
import type { Snapshot } from "../../storage/snapshot/index.ts";

/** Undefined is the empty file system. */
export type OpResult = Snapshot | undefined;
