// Starting a process without a copy of ours, through koffi, loaded when first needed.
import { requireKoffi } from "../../base/index.ts";
import { checkedCalls, systemError } from "./network/socket-calls.ts";

/** Every function throws a system error (`code`, `syscall`) on failure, as `node:fs` does. */
export interface SpawnCalls {
  /** Both ends of a pipe, closed on exec. */
  pipe(): { readonly read: number; readonly write: number };
  /**
   * Starts the program at the absolute path `command[0]`, with the usual handling of all signals. It has the descriptors that
   * `files` maps its own to, and no others. Nobody but `wait` notices that it has ended.
   */
  spawn(
    command: readonly string[],
    environment: readonly string[],
    files: readonly (readonly [own: number, from: number | "/dev/null"])[],
  ): number;
  /** Waits for the end of a process that `spawn` has started, once; its status as of wait(2). */
  wait(pid: number): number;
}

interface Koffi {
  load(path: null): { func(prototype: string): (...args: unknown[]) => number };
  errno(): number;
}

const closeOnExec = 0o2000000;
const O_RDWR = 2;
/** POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK: Node ignores some signals, and what is ignored is inherited. */
const plainSignals = 4 | 8;
/** No C library's structures, nor its sets of signals, are larger, in bytes. */
const structure = 512;

let loaded: SpawnCalls | undefined;

/** Throws where koffi is not installed. */
export function spawnCalls(): SpawnCalls {
  loaded ??= bind(requireKoffi() as Koffi);
  return loaded;
}

function bind(koffi: Koffi): SpawnCalls {
  const libc = koffi.load(null);
  const call = checkedCalls(libc, () => koffi.errno());
  const pipe2 = call("pipe2", "int pipe2(void *fds, int flags)");
  const waitpid = call("waitpid", "int waitpid(int pid, void *status, int options)");
  // These return the error.
  const posixSpawn = libc.func(
    "int posix_spawn(void *pid, const char *path, const void *actions, const void *attributes, const char **argv, const char **envp)",
  );
  const [makeActions, endActions] = ["init", "destroy"].map((what) =>
    libc.func(`int posix_spawn_file_actions_${what}(void *actions)`),
  ) as [(actions: Uint8Array) => number, (actions: Uint8Array) => number];
  const addDup = libc.func(
    "int posix_spawn_file_actions_adddup2(void *actions, int from, int own)",
  );
  const addOpen = libc.func(
    "int posix_spawn_file_actions_addopen(void *actions, int own, const char *path, int flags, unsigned int mode)",
  );
  const attributes = signalAttributes(libc);
  const number = new Int32Array(2);
  return {
    pipe() {
      pipe2(number, closeOnExec);
      const [read = -1, write = -1] = number;
      return { read, write };
    },
    spawn(command, environment, files) {
      const actions = new Uint8Array(structure);
      makeActions(actions);
      for (const [own, from] of files) {
        if (from === "/dev/null") addOpen(actions, own, from, O_RDWR, 0);
        else addDup(actions, from, own);
      }
      const [path] = command;
      const [argv, envp] = [command, environment].map((list) => [...list, null]);
      const failed = posixSpawn(number, path, actions, attributes, argv, envp);
      endActions(actions);
      if (failed !== 0) throw systemError(failed, "posix_spawn");
      return number[0] ?? -1;
    },
    wait(pid) {
      for (;;) {
        try {
          waitpid(pid, number, 0);
          return number[0] ?? 0;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "EINTR") throw error;
        }
      }
    },
  };
}

/** Made once: every signal does what it usually does, and none is held back. */
function signalAttributes(libc: ReturnType<Koffi["load"]>): Uint8Array {
  const attributes = new Uint8Array(structure);
  libc.func("int posix_spawnattr_init(void *attributes)")(attributes);
  libc.func("int posix_spawnattr_setflags(void *attributes, short flags)")(
    attributes,
    plainSignals,
  );
  const all = new Uint8Array(structure).fill(0xff);
  libc.func("int posix_spawnattr_setsigdefault(void *attributes, const void *set)")(
    attributes,
    all,
  );
  const none = new Uint8Array(structure);
  libc.func("int posix_spawnattr_setsigmask(void *attributes, const void *set)")(attributes, none);
  return attributes;
}
