// A directory of named things, each with a card that says what it is and how often it was used.
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { fromNodeError, isDead, isRecord, LeaseTable, log, processTag } from "../../base/index.ts";
import { removeTree } from "../snapshot/index.ts";

const debug = log("kept");

/** One thing, as it lies on disk. */
export interface KeptThing {
  readonly name: string;
  /** What its user said it is; empty for one that has no card. */
  readonly description: string;
  /** Absolute paths of the thing and its card. */
  readonly paths: readonly string[];
  readonly createdAt: Date;
  readonly usedAt: Date;
  /** By how many processes. */
  readonly uses: number;
  /** Held by a live process. */
  readonly inUse: boolean;
}

/** The things in one directory, which several processes share. Their owner makes them, and says when it uses one. */
export interface Kept {
  /** Absolute. Things are its entries whose names begin with no dot; what else lies there is its owner's. */
  readonly directory: string;
  /** Call it before looking for the thing: what exists when this returns stays until `release()` or the process's end. */
  use(name: string, description: string): void;
  /** A new path in the directory for something unfinished; left-overs of dead processes are swept. */
  temporary(): string;
  list(): readonly KeptThing[];
  /** Removes things that no live process uses. Answers with the names of what is gone. */
  collect(names: readonly string[]): Promise<readonly string[]>;
  /** Lets go of all that this process has used. */
  release(): void;
}

/** Opens, and makes when first used, `directory`: cards in `.cards`, leases in `.leases`. */
export function openKept(directory: string): Kept {
  const leases = new LeaseTable(`${directory}/.leases`);
  const noted = new Set<string>();
  const card = (name: string) => `${directory}/.cards/${name}`;
  const temporary = () => `${directory}/.new-${processTag()}-${randomBytes(6).toString("hex")}`;
  return {
    directory,
    temporary,
    use(name, description) {
      try {
        mkdirSync(`${directory}/.cards`, { recursive: true, mode: 0o700 });
        leases.hold([name]);
        if (!noted.has(name)) note(card(name), description);
      } catch (error) {
        throw fromNodeError(error, `using ${directory}/${name}`);
      }
      noted.add(name);
    },
    list() {
      sweep(directory);
      leases.sweep();
      const elsewhere = leases.heldElsewhere();
      const names = namesIn(directory).filter((name) => !name.startsWith("."));
      for (const name of namesIn(`${directory}/.cards`)) {
        const isUsed = elsewhere.has(name) || leases.isHeldHere(name);
        if (!isUsed && !names.includes(name)) rmSync(card(name), { force: true });
      }
      return names.flatMap((name) => {
        const inUse = elsewhere.has(name) || leases.isHeldHere(name);
        return describe(`${directory}/${name}`, card(name), { name, inUse });
      });
    },
    async collect(names) {
      const trash: string[] = [];
      const free = names.filter((name) => !leases.isHeldHere(name));
      const gone = leases.collect(free, (name) => {
        const away = temporary();
        rmSync(card(name), { force: true });
        noted.delete(name);
        if (!existsSync(`${directory}/${name}`)) return;
        renameSync(`${directory}/${name}`, away);
        trash.push(away);
      });
      for (const path of trash) await removeTree(path);
      return gone;
    },
    release() {
      leases.release();
      noted.clear();
    },
  };
}

/** First line: what it is; then one empty line for each further use. */
function note(card: string, description: string): void {
  if (existsSync(card)) appendFileSync(card, "\n");
  else writeFileSync(card, `${JSON.stringify({ description })}\n`, { mode: 0o600 });
}

function describe(
  path: string,
  card: string,
  { name, inUse }: { readonly name: string; readonly inUse: boolean },
): readonly KeptThing[] {
  const thing = statSync(path, { throwIfNoEntry: false });
  if (thing === undefined) return [];
  const noted = statSync(card, { throwIfNoEntry: false });
  const text = noted ? readFileSync(card, "utf8") : "";
  return [
    {
      name,
      inUse,
      description: descriptionIn(text),
      paths: noted ? [path, card] : [path],
      createdAt: thing.birthtime,
      usedAt: noted?.mtime ?? thing.mtime,
      uses: Math.max(1, text.length - text.trimEnd().length),
    },
  ];
}

/** Cards are hints: a damaged one says nothing. */
function descriptionIn(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) && typeof value["description"] === "string" ? value["description"] : "";
  } catch {
    return "";
  }
}

function sweep(directory: string): void {
  for (const name of namesIn(directory)) {
    const tag = /^\.new-([^-]*)/.exec(name)?.[1];
    if (tag === undefined || isDead(tag) !== true) continue;
    removeTree(`${directory}/${name}`).catch((error: unknown) => {
      debug.debug("could not sweep", { name, error: String(error) });
    });
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
