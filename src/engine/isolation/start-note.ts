// How Kiln got into its namespace, noted for the script that starts it: `bin/kiln` goes there at once, without a start of Node.
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { log, writeFileAtomic } from "../../base/index.ts";

const debug = log("isolation");

/** Files that say whether user namespaces are allowed; `bin/kiln` reads the same, in this order. */
const switches: readonly string[] = [
  "/proc/sys/user/max_user_namespaces",
  "/proc/sys/kernel/unprivileged_userns_clone",
  "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
];

/** What of /proc/self/status decides it too: containers differ in these from the machine and from each other. */
const ownLines: readonly string[] = ["CapBnd:", "NoNewPrivs:", "Seccomp:"];

/** Three lines: `startConditions`, user, command. Not written where the command cannot be one of words without blanks. */
export function writeStartNote(
  words: readonly string[],
  uid: number,
  environment: Readonly<Record<string, string | undefined>>,
): void {
  const path = startNotePath(environment);
  if (path === undefined || words.some((word) => /\s/.test(word))) return;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileAtomic(path, `${startConditions()}\n${uid}\n${words.join(" ")}\n`);
  } catch (error) {
    debug.debug("no note for the next start", { error: String(error) });
  }
}

/** One word that is another one when what decides about namespaces has changed: the note is no good then. */
export function startConditions(read: (path: string) => string = readOrEmpty): string {
  const status = read("/proc/self/status")
    .split("\n")
    .map((line) => line.split(/\s+/))
    .filter(([key = ""]) => ownLines.includes(key))
    .map(([, value = ""]) => value);
  const boot = read("/proc/sys/kernel/random/boot_id").trim();
  // The first digit: `bin/kiln` gets no more, and 0 is what counts.
  return [boot, ...switches.map((path) => read(path).slice(0, 1)), ...status].join(":");
}

function startNotePath(
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const home = environment["HOME"];
  const cache = environment["XDG_CACHE_HOME"] || (home && join(home, ".cache"));
  return cache && isAbsolute(cache) ? join(cache, "kiln/start") : undefined;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
