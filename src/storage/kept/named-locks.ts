// Locks by name, between this process's users and those of other processes; the kernel lets go of what a dead one held.
import { closeSync, fstatSync, mkdirSync, openSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type Call, throwIfAborted } from "../../base/index.ts";
import { loadSyscalls } from "../snapshot/index.ts";

/** A lock is asked for again after this many milliseconds, and less and less often up to the second number. */
const [firstPause, longestPause] = [5, 100];

export interface NamedLocks {
  /** Waits until `name` may be used together with whoever uses it, or alone. `waits` is called once, if it has to wait. */
  hold(
    name: string,
    sharing: "shared" | "locked",
    waits: () => void,
    call: Call,
  ): Promise<Disposable>;
  /** Undefined when somebody uses it. */
  tryHold(name: string): Disposable | undefined;
}

export interface NamedLocksOptions {
  /** For names without end: whoever lets go of one removes its file. All of them must be `locked`, never `shared`. */
  readonly fleeting?: boolean;
}

/** Keeps its files in `directory`. A lock is let go of when its holder's process ends, however it ends. */
export function createNamedLocks(
  directory: string,
  { fleeting = false }: NamedLocksOptions = {},
): NamedLocks {
  const open = (name: string) => {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return openSync(join(directory, name), "a", 0o600);
  };
  const tried = (name: string, kind: "shared" | "exclusive"): Disposable | undefined => {
    const file = open(name);
    const path = join(directory, name);
    // Between opening and locking it, the holder may have removed it: then the lock is on a file that nobody finds.
    if (loadSyscalls().tryFlock(file, kind) && (!fleeting || isSameFile(file, path))) {
      return {
        [Symbol.dispose]: () => {
          if (fleeting) rmSync(path, { force: true });
          closeSync(file);
        },
      };
    }
    closeSync(file);
    return undefined;
  };
  /** Who came first in this process, comes first: each waits for the one before to have got it. */
  const queues = new Map<string, Promise<void>>();
  return {
    async hold(name, sharing, waits, call) {
      const before = queues.get(name) ?? Promise.resolve();
      let passOn = () => {};
      const mine = new Promise<void>((resolve) => {
        passOn = resolve;
      });
      queues.set(
        name,
        before.then(() => mine),
      );
      try {
        await before;
        const kind = sharing === "locked" ? "exclusive" : "shared";
        for (let pause = firstPause, told = false; ; pause = Math.min(2 * pause, longestPause)) {
          throwIfAborted(call);
          const lock = tried(name, kind);
          if (lock !== undefined) return lock;
          if (!told) waits();
          told = true;
          await setTimeout(pause, undefined, { signal: call.signal });
        }
      } finally {
        passOn();
      }
    },
    tryHold: (name) => tried(name, "exclusive"),
  };
}

function isSameFile(file: number, path: string): boolean {
  return fstatSync(file).ino === statSync(path, { throwIfNoEntry: false })?.ino;
}
