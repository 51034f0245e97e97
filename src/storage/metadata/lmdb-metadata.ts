// The metadata store on LMDB: one memory-mapped file, readers that never wait, one writer at a time among all processes.
import { mkdirSync, statfsSync } from "node:fs";
import type { RootDatabase } from "lmdb";
import { fromNodeError, KilnError } from "../../base/index.ts";
import type { Metadata, MetadataCodec, MetadataTable } from "./metadata.ts";

/** LMDB takes keys of up to 1978 bytes; its own encoding of text needs a few of them. */
const keyLimit = 1900;

/**
 * LMDB in its plain mode: when a commit returns it survives its process, and the file is in order whenever the machine
 * stops; that may undo the last commit (`noMetaSync`). lmdb's default, overlapping sync, was several times slower here, and
 * together with commits that do not wait for the disk a killed writer left the others unable to write (MDB_PANIC).
 */
const settings = { encoding: "string", overlappingSync: false, noMetaSync: true } as const;

const tableName = /^[a-z][a-z0-9-]{0,29}$/;

/**
 * Opens, or makes, the store in `directory`. Other processes may have it open, and may be killed at any moment: locks of
 * dead processes are taken over. Open a directory once in a process.
 */
export async function openMetadata(directory: string): Promise<Metadata> {
  const { open } = await loadLmdb();
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const database = open<string, string>({ path: directory, ...settings });
    return createLmdbMetadata(database, directory);
  } catch (error) {
    throw fromLmdbError(fromNodeError(error, `opening ${directory}`), directory);
  }
}

/** Loaded on demand: reading LMDB's binding takes longer than many a command. */
async function loadLmdb(): Promise<typeof import("lmdb")> {
  try {
    return await import("lmdb");
  } catch (error) {
    throw new KilnError("UNSUPPORTED", "the LMDB database does not load on this machine", {
      cause: error,
      hint: "Install Kiln with optional dependencies, on Linux for x64, arm64 or arm.",
    });
  }
}

function createLmdbMetadata(database: RootDatabase<string, string>, directory: string): Metadata {
  let depth = 0;
  const change = (key: string, work: () => void): void => {
    if (depth === 0) throw new Error("metadata is written inside a transaction only");
    checkKey(key);
    work();
  };
  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw fromLmdbError(error, directory);
    }
  };
  return {
    table<Value>(name: string, codec: MetadataCodec<Value> = json<Value>()): MetadataTable<Value> {
      if (!tableName.test(name)) throw new Error(`not a table's name: ${name}`);
      const space = `${name}/`;
      return {
        get(key) {
          if (byteLength(space + key) > keyLimit) return undefined;
          const text = guarded(() => database.get(space + key));
          return text === undefined ? undefined : codec.decode(text);
        },
        range(prefix) {
          const start = space + prefix;
          return guarded(() =>
            [...database.getRange({ start, end: `${start}\u{10ffff}` })].map(({ key, value }) => ({
              key: key.slice(space.length),
              value: codec.decode(value),
            })),
          );
        },
        put: (key, value) =>
          change(space + key, () => database.putSync(space + key, codec.encode(value))),
        delete: (key) => change(space + key, () => database.removeSync(space + key)),
      };
    },
    transaction(work) {
      if (depth > 0) return work();
      return guarded(() =>
        database.transactionSync(() => {
          depth++;
          try {
            return work();
          } finally {
            depth--;
          }
        }),
      );
    },
    refresh: () => database.resetReadTxn(),
    async [Symbol.asyncDispose]() {
      await database.close();
    },
  };
}

function byteLength(text: string): number {
  // Three bytes a character at most, hence no need to count in nearly all cases.
  return text.length * 3 <= keyLimit ? text.length : new TextEncoder().encode(text).length;
}

function checkKey(key: string): void {
  if (byteLength(key) > keyLimit) throw new Error(`metadata key of more than ${keyLimit} bytes`);
}

function json<Value>(): MetadataCodec<Value> {
  return { encode: (value) => JSON.stringify(value), decode: (text) => JSON.parse(text) as Value };
}

/** LMDB's errors carry liblmdb's return code, which is errno's where positive. */
function fromLmdbError(error: unknown, directory: string): unknown {
  const code = error instanceof Error ? (error as { readonly code?: unknown }).code : undefined;
  if (typeof code !== "number") return error;
  // A write that the disk had room for only in part is EIO to LMDB.
  const partial = code === 5 && isFull(directory);
  if (partial || code === 28 || code === 122 || code === -30792) {
    return new KilnError("DISK_FULL", `writing ${directory}: no space left on the disk`, {
      cause: error,
      hint: "Free some space, or point --root (KILN_ROOT) at a larger disk.",
    });
  }
  if (corruptCodes.has(code)) {
    return new KilnError("STORE_CORRUPT", `${directory} is damaged: ${(error as Error).message}`, {
      cause: error,
      hint: `Delete ${directory}: builds start with an empty cache then.`,
    });
  }
  return error;
}

/** No room for a few pages. */
function isFull(directory: string): boolean {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize < 1024 * 1024;
}

/** MDB_PAGE_NOTFOUND, MDB_CORRUPTED, MDB_PANIC, MDB_VERSION_MISMATCH, MDB_INVALID (lmdb.h). */
const corruptCodes = new Set([-30797, -30796, -30795, -30794, -30793]);
