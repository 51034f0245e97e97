// Where blobs came from: the repositories that are known to hold a layer, for pulling it late and mounting it elsewhere.
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Digest, digestHex, writeNoteAtomic } from "../../base/index.ts";

/** A repository list is a hint: a blob may have been deleted there since. */
export interface BlobOrigins {
  /** Normalised repositories (`docker.io/library/busybox`) that held the blob, latest first. */
  repositories(digest: Digest): readonly string[];
  add(digest: Digest, repository: string): void;
}

/** More than this many repositories of one blob say nothing new. */
const repositoriesPerBlob = 8;

/** One small file a blob below `directory`; kept in memory once read. */
export function createBlobOrigins(directory: string): BlobOrigins {
  const known = new Map<Digest, readonly string[]>();
  const file = (digest: Digest) => {
    const hex = digestHex(digest);
    return join(directory, hex.slice(0, 2), hex);
  };
  const repositories = (digest: Digest) => {
    const found = known.get(digest) ?? readLines(file(digest));
    known.set(digest, found);
    return found;
  };
  return {
    repositories,
    add(digest, repository) {
      const before = repositories(digest);
      if (before.includes(repository)) return;
      const after = [repository, ...before].slice(0, repositoriesPerBlob);
      known.set(digest, after);
      mkdirSync(dirname(file(digest)), { recursive: true });
      writeNoteAtomic(file(digest), `${after.join("\n")}\n`);
    },
  };
}

/**
 * The same with the mirrors of each repository after it: what came by a mirror can be mounted from it. `mirrors` answers
 * for a host (`docker.io`) with hosts and optional path prefixes, as the registries' configuration has them.
 */
export function withMirrors(
  origins: BlobOrigins,
  mirrors: (host: string) => readonly string[],
): BlobOrigins {
  return {
    add: (digest, repository) => origins.add(digest, repository),
    repositories(digest) {
      const known = origins.repositories(digest);
      const mirrored = known.flatMap((repository) => {
        const cut = repository.indexOf("/");
        const path = repository.slice(cut + 1);
        return mirrors(repository.slice(0, cut)).map((mirror) => `${placeOf(mirror)}/${path}`);
      });
      return [...new Set([...known, ...mirrored])];
    },
  };
}

function placeOf(mirror: string): string {
  return mirror.replace(/^https?:\/\//, "").replace(/\/+$/, "");
}

function readLines(path: string): readonly string[] {
  try {
    const lines = readFileSync(path, "utf8").split("\n");
    // After a power cut, anything may stand there.
    return lines.filter((line) => /^[!-~]+\/[!-~]+$/.test(line));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
