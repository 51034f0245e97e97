// Builders on disk, in buildx's own directory and layout: what one tool creates, the other sees.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  type Call,
  fromNodeError,
  goJson,
  isRecord,
  KilnError,
  writeFileAtomic,
} from "../../base/index.ts";
import { lockFile } from "./lock.ts";
import { checkBuilderName } from "./names.ts";
import { type BuilderRecord, parseRecord, recordText } from "./record.ts";
import { openBuildOrigins } from "./refs.ts";

/** Changes of the store, made while its lock is held. */
export interface StoreChange {
  save(record: BuilderRecord): void;
  /** Forgets the builder and when it was used. Throws `BUILDER_NOT_FOUND`. */
  remove(name: string): void;
  /**
   * Makes a builder current for a docker endpoint: until another is chosen (`default`: also after the endpoint was left
   * and entered again; `global`: for every endpoint). An empty name is the endpoint's own engine.
   */
  setCurrent(
    key: string,
    name: string,
    how: { readonly global: boolean; readonly default: boolean },
  ): void;
}

/** Builders on disk. Reading takes no lock: files are replaced whole. */
export interface BuilderStore {
  readonly directory: string;
  /** Names of the builders' files, which are in lower case, in byte order. */
  names(): readonly string[];
  /** Undefined where there is no such builder. Throws `CONFIG_INVALID`. */
  read(name: string): BuilderRecord | undefined;
  /** Name of the builder chosen for a docker endpoint; empty for the endpoint's own. */
  current(key: string): string;
  lastActivity(name: string): Date | undefined;
  /** Notes that the builder is used now. */
  touch(name: string, now: Date): void;
  /** Runs `change` with the lock held; other processes see all of it or wait. */
  change<T>(change: (change: StoreChange) => T, call: Call): Promise<T>;
}

/** Opens the store in `directory`, which is made when something is first written. */
export function openBuilderStore(directory: string): BuilderStore {
  const at = (...parts: string[]) => join(directory, ...parts);
  const read = (name: string) => {
    const file = at("instances", fileName(name));
    const text = readIfThere(file);
    return text === undefined ? undefined : parseRecord(text, file);
  };
  return {
    directory,
    names: () => namesIn(at("instances")),
    read,
    current: (key) => currentOf(directory, key),
    lastActivity(name) {
      const text = readIfThere(at("activity", fileName(name)))?.trim();
      const time = text ? Date.parse(text) : Number.NaN;
      return Number.isNaN(time) ? undefined : new Date(time);
    },
    touch(name, now) {
      prepare(directory);
      write(at("activity", fileName(name)), `${now.toISOString().slice(0, 19)}Z`);
    },
    async change(change, call) {
      prepare(directory);
      using _lock = await lockFile(at(".lock"), call);
      return change(changeOf(directory));
    },
  };
}

function changeOf(directory: string): StoreChange {
  const at = (...parts: string[]) => join(directory, ...parts);
  return {
    save: (record) => write(at("instances", fileName(record.name)), recordText(record)),
    remove(name) {
      const file = fileName(name);
      if (readIfThere(at("instances", file)) === undefined) throw noBuilder(name);
      rmSync(at("instances", file), { force: true });
      rmSync(at("activity", file), { force: true });
      const origins = openBuildOrigins(directory);
      for (const one of new Set([name, file])) origins.remove(one);
    },
    setCurrent(key, name, how) {
      write(at("current"), goJson({ Key: key, Name: name, Global: how.global }));
      const file = at("defaults", defaultName(key));
      if (how.default) write(file, name);
      else rmSync(file, { force: true });
    },
  };
}

/** Names that differ in case only are one builder; the record remembers how it was written. */
function fileName(name: string): string {
  return checkBuilderName(name).toLowerCase();
}

/** The error for a name that nothing is known by, in the reference's words. */
export function noBuilder(name: string): KilnError {
  return new KilnError("BUILDER_NOT_FOUND", `no builder ${JSON.stringify(name)} found`, {
    hint: "See which there are: kiln ls",
  });
}

function currentOf(directory: string, key: string): string {
  const chosen = parseCurrent(readIfThere(join(directory, "current")));
  const here = chosen && (chosen.global || chosen.key === key) ? chosen.name : "";
  return here || (readIfThere(join(directory, "defaults", defaultName(key)))?.trim() ?? "");
}

function parseCurrent(
  text: string | undefined,
): { readonly key: string; readonly name: string; readonly global: boolean } | undefined {
  if (text === undefined) return undefined;
  try {
    const document: unknown = JSON.parse(text);
    if (!isRecord(document)) return undefined;
    const { Key: key, Name: name, Global: global } = document;
    if (typeof name !== "string") return undefined;
    return { key: typeof key === "string" ? key : "", name, global: global === true };
  } catch {
    // A choice that cannot be read is none; the next `use` writes it anew.
    return undefined;
  }
}

/** Names of files in defaults/ are the beginning of the endpoint's hash. */
function defaultName(key: string): string {
  return createHash("sha256").update(key).digest("hex").slice(0, 20);
}

function prepare(directory: string): void {
  try {
    for (const part of ["instances", "defaults", "activity"])
      mkdirSync(join(directory, part), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fromNodeError(error, `cannot make the directory of builders ${directory}`);
  }
}

function write(file: string, text: string): void {
  try {
    writeFileAtomic(file, text);
  } catch (error) {
    throw fromNodeError(error, `cannot write ${file}`);
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    // Names that buildx would not have given are somebody's temporary files.
    return readdirSync(directory)
      .filter((name) => isBuilderFile(name))
      .sort();
  } catch {
    return [];
  }
}

function isBuilderFile(name: string): boolean {
  try {
    return checkBuilderName(name) === name;
  } catch {
    return false;
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw fromNodeError(error, `cannot read ${file}`);
  }
}
