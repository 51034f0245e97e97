// Which image a name stands for in the local store: for images that were built or pulled here and need no registry.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isDigest, isRecord, writeFileAtomic } from "../../base/index.ts";
import type { Descriptor } from "../../formats/oci/index.ts";

/** A name of the local store and what it stands for: an index or a manifest, whose content is in the content store. */
export interface ImageRecord {
  /** Normalised, with its tag: `docker.io/library/busybox:latest`. */
  readonly name: string;
  readonly descriptor: Descriptor;
  readonly createdAt: Date;
}

/** One small file a name below `directory`, replaced atomically, so that several processes can share them. */
export interface ImageRecords {
  get(name: string): ImageRecord | undefined;
  set(record: ImageRecord): void;
  delete(name: string): void;
  /** The file of a name's record, whether it is there or not. */
  file(name: string): string;
  /** By name. Files that cannot be read as records are left out. */
  list(): readonly ImageRecord[];
}

/** Creates the directory when the first record is set. */
export function createImageRecords(directory: string): ImageRecords {
  const file = (name: string) =>
    join(directory, `${createHash("sha256").update(name).digest("hex")}.json`);
  return {
    file,
    get: (name) => readRecord(file(name)),
    set(record) {
      mkdirSync(directory, { recursive: true });
      writeFileAtomic(file(record.name), JSON.stringify(record));
    },
    delete: (name) => rmSync(file(name), { force: true }),
    list() {
      const files = readNames(directory).filter((name) => name.endsWith(".json"));
      const records = files.map((name) => readRecord(join(directory, name)));
      return records
        .filter((record) => record !== undefined)
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    },
  };
}

function readNames(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function readRecord(path: string): ImageRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    // Absent or damaged: the name is looked up elsewhere, and the next build writes it anew.
    return undefined;
  }
  if (!isRecord(value)) return undefined;
  const { name, createdAt, descriptor } = value;
  if (!isRecord(descriptor)) return undefined;
  const { mediaType, digest, size } = descriptor;
  if (typeof name !== "string" || typeof createdAt !== "string") return undefined;
  if (typeof mediaType !== "string" || typeof size !== "number") return undefined;
  if (typeof digest !== "string" || !isDigest(digest)) return undefined;
  return { name, descriptor: { mediaType, digest, size }, createdAt: new Date(createdAt) };
}
