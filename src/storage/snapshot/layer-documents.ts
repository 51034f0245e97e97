// What is written down about layers and stacks, read back with suspicion.
import { isDigest, isRecord, KilnError } from "../../base/index.ts";
import type { LayerBlob, SnapshotLayer } from "./snapshot.ts";

/** What has to be known about a layer besides its files. */
export interface LayerInfo {
  /** Directories that the layer's archive did not list: their attributes are those of whatever lies below. */
  readonly implied?: readonly string[];
  /** The layer hides everything below it. */
  readonly opaqueRoot?: boolean;
  /** The layer has no whiteouts: its directory alone looks as the layer does. */
  readonly whole?: boolean;
}

/** Of all documents in the store. */
export const formatVersion = 1;

/** Throws `STORE_CORRUPT`. */
export function parseInfo(text: string | undefined, id: string): LayerInfo {
  const value = text === undefined ? undefined : parseJsonOrUndefined(text);
  if (!isRecord(value) || value["version"] !== formatVersion) {
    throw new KilnError("STORE_CORRUPT", `layer ${id} of the snapshots is damaged`, {
      hint: "Run `kiln prune --all`, and build again.",
    });
  }
  const implied = value["implied"];
  return {
    ...(Array.isArray(implied)
      ? { implied: implied.filter((path) => typeof path === "string") }
      : {}),
    ...(value["opaqueRoot"] === true ? { opaqueRoot: true } : {}),
    ...(value["whole"] === true ? { whole: true } : {}),
  };
}

/** Undefined when it is damaged. */
export function parseStack(text: string | undefined): readonly SnapshotLayer[] | undefined {
  const value = text === undefined ? undefined : parseJsonOrUndefined(text);
  if (!isRecord(value) || value["version"] !== formatVersion || !Array.isArray(value["layers"]))
    return undefined;
  return value["layers"].every(isLayer) ? value["layers"] : undefined;
}

function isLayer(value: unknown): value is SnapshotLayer {
  if (
    !isRecord(value) ||
    typeof value["id"] !== "string" ||
    !/^[a-z0-9-]{1,100}$/.test(value["id"])
  )
    return false;
  return value["blob"] === undefined || isBlob(value["blob"]);
}

function isBlob(value: unknown): value is LayerBlob {
  if (!isRecord(value) || typeof value["diffId"] !== "string" || !isDigest(value["diffId"]))
    return false;
  const descriptor = value["descriptor"];
  return (
    isRecord(descriptor) &&
    typeof descriptor["digest"] === "string" &&
    isDigest(descriptor["digest"])
  );
}

/** Undefined for what is no JSON. */
export function parseJsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
