// What a chown command leaves open. busybox writes back the owner it has seen, which is root for every file here.
import { readFileSync } from "node:fs";

/** Which of the two ids the command names. */
export interface NamedIds {
  readonly uid: boolean;
  readonly gid: boolean;
}

/** By the words of a command line, which may begin with an emulator or with busybox; undefined for other commands. */
export function namedIds(words: readonly string[]): NamedIds | undefined {
  const at = words.findIndex((word) => /^(.*\/)?(chown|chgrp)$/.test(word));
  const command = words[at];
  if (command === undefined) return undefined;
  if (command.endsWith("chgrp")) return { uid: false, gid: true };
  const owner = words.slice(at + 1).find((word) => !word.startsWith("-"));
  if (owner === undefined) return undefined;
  return { uid: !/^[:.]/.test(owner), gid: /[:.]/.test(owner) };
}

/** The same of a running process. */
export function namedByProcess(pid: number): NamedIds | undefined {
  try {
    return namedIds(readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0"));
  } catch {
    return undefined;
  }
}
