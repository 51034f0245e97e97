// What was about to be tagged where: written down before the first tag moves, gone when all have, found when a process died between.
import { Buffer } from "node:buffer";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  isDead,
  isDigest,
  isRecord,
  processTag,
  temporaryName,
  writeFileAtomic,
} from "../../../base/index.ts";
import { type Descriptor, descriptorJson, parseDescriptor } from "../../../formats/oci/index.ts";
import type { ImageDocument } from "./documents.ts";

/** One tag that is to stand for another image. */
export interface TagMove {
  /** Normalised. */
  readonly repository: string;
  readonly tag: string;
  /** What it stood for; absent where there was no such tag. */
  readonly before?: Descriptor;
}

/** A phase that has begun. */
export interface JournalEntry {
  readonly root: ImageDocument;
  readonly moves: readonly TagMove[];
}

/** An entry that a dead process left. */
export interface OpenEntry extends JournalEntry {
  /** Forgets it. */
  close(): void;
}

export interface PushJournal {
  /** On the disk when this returns. */
  begin(entry: JournalEntry): OpenEntry;
  /** Entries whose processes have died. Damaged ones are deleted: they say nothing. */
  abandoned(): readonly OpenEntry[];
}

/** One small file a phase below `directory`. `owner` is the process that writes (`processTag`). */
export function createPushJournal(directory: string, owner: string = processTag()): PushJournal {
  const opened = (path: string, entry: JournalEntry): OpenEntry => ({
    ...entry,
    close: () => rmSync(path, { force: true }),
  });
  return {
    begin(entry) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const path = join(directory, `${temporaryName()}.json`);
      writeFileAtomic(path, encode(entry, owner));
      return opened(path, entry);
    },
    abandoned() {
      return namesIn(directory).flatMap((name) => {
        const path = join(directory, name);
        const found = decode(path);
        if (found === "damaged") {
          rmSync(path, { force: true });
          return [];
        }
        return found ? [opened(path, found)] : [];
      });
    },
  };
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).filter((name) => name.endsWith(".json"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function encode({ root, moves }: JournalEntry, owner: string): string {
  return JSON.stringify({
    owner,
    root: descriptorJson(root.descriptor),
    data: Buffer.from(root.data).toString("base64"),
    moves: moves.map(({ before, ...move }) => ({
      ...move,
      ...(before ? { before: descriptorJson(before) } : {}),
    })),
  });
}

/** Undefined while the process that wrote it lives. */
function decode(path: string): JournalEntry | "damaged" | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (!isRecord(value)) return "damaged";
    const { owner, root, data, moves } = value;
    if (typeof owner !== "string" || typeof data !== "string" || !Array.isArray(moves))
      return "damaged";
    const dead = isDead(owner);
    // In another container, only age tells.
    if (dead === false || (dead === "unknown" && isYoung(path))) return undefined;
    return {
      root: { descriptor: parseDescriptor(root, path), data: Buffer.from(data, "base64") },
      moves: moves.map((one) => readMove(one, path)),
    };
  } catch (error) {
    // Somebody else was quicker.
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? undefined : "damaged";
  }
}

/** Milliseconds that no tag phase takes. */
const longest = 3600 * 1000;

function isYoung(path: string): boolean {
  return Date.now() - statSync(path).mtimeMs < longest;
}

function readMove(value: unknown, path: string): TagMove {
  if (!isRecord(value)) throw new Error("no move");
  const { repository, tag, before } = value;
  if (typeof repository !== "string" || typeof tag !== "string" || isDigest(tag))
    throw new Error("no name");
  return {
    repository,
    tag,
    ...(before === undefined ? {} : { before: parseDescriptor(before, path) }),
  };
}
