// Owners that steps give to files where all files must belong to one user: noted, instead of done.
import { chmodSync, closeSync, constants, fstatSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { log } from "../../../base/index.ts";
import { decodeOwner, encodeOwner, ownerNote } from "../../../storage/snapshot/index.ts";
import { namedByProcess } from "./command-words.ts";
import { type ListenerCalls, listenerCalls, type Readiness } from "./listener-calls.ts";
import { openTarget } from "./open-target.ts";
import {
  notificationSize,
  type OwnerCall,
  ownerAnswer,
  readOwnerCall,
  type WantedOwner,
} from "./owner-call.ts";

const debug = log("executor");

/** SECCOMP_IOCTL_NOTIF_RECV, SEND and ID_VALID; the last with the direction that kernels before 5.9 know. */
const receiveCall = 0xc0502100;
const sendAnswer = 0xc0182101;
const isStillThere = 0x80082102;

/** Milliseconds: a process that ends without disposing waits this long for the other thread at most. */
const patience = 100;
/**
 * Milliseconds. Who gives one file away gives away the next in a moment: waiting for that here spares two changes of
 * threads, which cost more than the call; but not so long that the build stands still.
 */
const moment = 1;
const longestTurn = 20;
/** Paths of sockets end there (unix(7)). */
const longestPath = 107;

/**
 * Answers the calls of the chown family that steps make: a runtime hands over a listener for each (seccomp_unotify(2)).
 * It works while a step has lent it; nothing waits otherwise. Owns its socket.
 */
export class OwnerRecorder implements Disposable {
  /** Where runtimes hand their listeners over. */
  readonly path: string;
  readonly #calls: ListenerCalls;
  readonly #socket: number;
  readonly #bell: number;
  /** What runtimes have connected with, before the listener comes. */
  readonly #connections = new Set<number>();
  readonly #listeners = new Set<number>();
  #steps = 0;
  #running: Promise<void> = Promise.resolve();

  /** `directory` is the caller's own. Throws where the socket cannot be made. */
  constructor(directory: string) {
    this.path = join(directory, "owners");
    if (this.path.length > longestPath) throw new Error(`${this.path} is too long for a socket`);
    this.#calls = listenerCalls();
    this.#socket = this.#calls.listen(this.path);
    this.#bell = this.#calls.eventfd();
  }

  /** Call it before a step starts, and dispose the answer when all its processes have ended. */
  lend(): AsyncDisposable {
    this.#steps++;
    if (this.#steps === 1) this.#running = this.#running.then(() => this.#run());
    return {
      [Symbol.asyncDispose]: async () => {
        this.#steps--;
        if (this.#steps > 0) return;
        this.#ring();
        await this.#running;
      },
    };
  }

  [Symbol.dispose](): void {
    for (const fd of [...this.#connections, ...this.#listeners, this.#socket, this.#bell])
      closeSync(fd);
  }

  #ring(): void {
    writeSync(this.#bell, new Uint8Array(new BigUint64Array([1n]).buffer));
  }

  async #run(): Promise<void> {
    while (this.#steps > 0) {
      const ready = await this.#calls.poll(this.#all(), patience);
      if (ready.has(this.#bell)) readSync(this.#bell, new Uint8Array(8));
      try {
        this.#serve(ready);
      } catch (error) {
        debug.debug("owners are not noted", { error: String(error) });
      }
    }
  }

  #all(): readonly number[] {
    return [this.#bell, this.#socket, ...this.#connections, ...this.#listeners];
  }

  #serve(ready: Readiness): void {
    if (ready.has(this.#socket)) this.#connections.add(this.#calls.accept(this.#socket));
    for (const connection of this.#connections) {
      if (!ready.has(connection)) continue;
      this.#connections.delete(connection);
      try {
        const listener = this.#calls.receiveDescriptor(connection);
        if (listener !== undefined) this.#listeners.add(listener);
      } finally {
        closeSync(connection);
      }
    }
    for (const listener of this.#listeners) {
      // Asking one that is over would wait for ever on kernels before 6.13.
      if (ready.get(listener) === "over") this.#drop(listener);
      else if (ready.has(listener)) this.#answerAll(listener);
    }
  }

  #answerAll(listener: number): void {
    const end = performance.now() + longestTurn;
    do {
      const bytes = new Uint8Array(notificationSize);
      try {
        this.#calls.ioctl(listener, receiveCall, bytes);
      } catch (error) {
        // The caller was killed meanwhile.
        if ((error as NodeJS.ErrnoException).code === "ENOENT") continue;
        throw error;
      }
      this.#answer(listener, readOwnerCall(bytes));
    } while (
      performance.now() < end &&
      this.#calls.ready([listener], moment).get(listener) === "readable"
    );
  }

  #drop(listener: number): void {
    this.#listeners.delete(listener);
    closeSync(listener);
  }

  #answer(listener: number, call: OwnerCall): void {
    const errno = this.#perform(listener, call);
    if (errno === undefined) return;
    try {
      this.#calls.ioctl(listener, sendAnswer, ownerAnswer(call.id, errno));
    } catch (error) {
      debug.debug("a caller is gone", { error: String(error) });
    }
  }

  /** The answer's error, 0 for none; undefined where nobody waits for it any more. */
  #perform(listener: number, call: OwnerCall): number | undefined {
    if (call.change === undefined) return 0;
    const target = openTarget(this.#calls, call.pid, call.change.target);
    if (typeof target === "number") return target;
    try {
      // Its number may have become another process's while the file was being opened.
      const id = new Uint8Array(new BigUint64Array([call.id]).buffer);
      this.#calls.ioctl(listener, isStillThere, id);
      note(this.#calls, target.fd, call);
      return 0;
    } catch (error) {
      const { code, syscall } = error as NodeJS.ErrnoException;
      return syscall === "ioctl" && code === "ENOENT" ? undefined : 0;
    } finally {
      closeSync(target.fd);
    }
  }
}

/** What chown(2) does, as far as it can be noted; links and special files keep no note. */
function note(calls: ListenerCalls, fd: number, { pid, change }: OwnerCall): void {
  const found = calls.getAttribute(fd, ownerNote);
  const old = (found && decodeOwner(found)) ?? { uid: 0, gid: 0 };
  const wanted = change?.owner ?? { uid: undefined, gid: undefined };
  const undone = (wanted.uid === 0 && old.uid !== 0) || (wanted.gid === 0 && old.gid !== 0);
  const { uid, gid } = undone ? leaveOpen(wanted, pid) : wanted;
  const value = encodeOwner({ uid: uid ?? old.uid, gid: gid ?? old.gid });
  if (value !== undefined) calls.setAttribute(fd, ownerNote, value);
  else if (found !== undefined) calls.removeAttribute(fd, ownerNote);
  dropRights(fd);
}

/** Root is what every program sees as the owner: one that writes it back unasked means to change nothing. */
function leaveOpen({ uid, gid }: WantedOwner, pid: number): WantedOwner {
  const named = namedByProcess(pid);
  return {
    uid: uid === 0 && named?.uid === false ? undefined : uid,
    gid: gid === 0 && named?.gid === false ? undefined : gid,
  };
}

const setUserId = 0o4000;
const setGroupId = 0o2000;
const groupMayRun = 0o010;

/** A file that is given away runs with nobody's rights any more. */
function dropRights(fd: number): void {
  const { mode } = fstatSync(fd);
  if ((mode & constants.S_IFMT) !== constants.S_IFREG) return;
  const dropped = setUserId | ((mode & groupMayRun) === 0 ? 0 : setGroupId);
  if ((mode & dropped) === 0) return;
  chmodSync(`/proc/self/fd/${fd}`, mode & 0o7777 & ~dropped);
}
