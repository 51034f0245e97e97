// Becoming another program without leaving a process behind: execve(2), which Node 20 does not offer.
import { getSystemErrorMap } from "node:util";
import { requireKoffi } from "../../base/index.ts";

interface Koffi {
  load(path: null): { func(prototype: string): (...args: unknown[]) => number };
  errno(): number;
}

const F_SETFD = 2;

/**
 * Replaces this process by `command`, whose first word is an absolute path. Standard input, output and error, and the
 * descriptors in `keep`, stay open. Returns only by throwing. Nothing may have been read from standard input yet.
 */
export function execute(
  command: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  keep: readonly number[],
): never {
  const koffi = requireKoffi() as Koffi;
  const libc = koffi.load(null);
  const fcntl = libc.func("int fcntl(int fd, int command, int argument)");
  const execve = libc.func("int execve(const char *path, const char **argv, const char **envp)");
  // Node marks what it inherits as its own.
  for (const fd of [0, 1, 2, ...keep]) fcntl(fd, F_SETFD, 0);
  const variables = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
  execve(command[0], [...command, null], [...variables, null]);
  const [code, text] = getSystemErrorMap().get(-koffi.errno()) ?? [`errno ${koffi.errno()}`, ""];
  throw Object.assign(new Error(`${code}: ${text}, execve '${command[0]}'`), { code });
}
