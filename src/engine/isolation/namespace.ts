// The command that starts a program in a user namespace of its own, with mounts and control groups that are private.
import { spawnSync } from "node:child_process";
import { grantedIds, lendingCommand, type RangeOwner } from "./id-ranges.ts";
import type { Owners } from "./isolation.ts";
import { mapByHand } from "./map-by-hand.ts";
import { findProgram } from "./programs.ts";

export interface NamespaceCommand {
  /** To be followed by the program and its arguments. */
  readonly words: readonly string[];
  readonly owners: Owners;
}

/** What stands in the way, and what to do about it. */
export interface Obstacle {
  readonly reason: string;
  readonly hint?: string;
  /** A command that does away with it, for root to run. */
  readonly command?: string;
}

/** Fewer ids than this leave out users that images have (`nobody` is 65534, but system users are what matters). */
const enoughIds = 1000;

/** Finds the command for this user, trying it out; `many: false` does without lent ids. */
export function findNamespaceCommand(
  owner: RangeOwner,
  path: string,
  { many = true }: { readonly many?: boolean } = {},
): NamespaceCommand | Obstacle {
  const unshare = findProgram("unshare", path);
  if (unshare === undefined)
    return { reason: "the program unshare is not installed", hint: "Install util-linux." };
  const base = [unshare, "--user", "--map-root-user", "--mount", "--cgroup"];
  if (many && manyObstacle(owner, path) === undefined) {
    const ways = [[...base, "--map-auto"], mapByHand(unshare, owner, path)];
    const words = ways.find((way) => tryRun(way, processes(unshare)) === undefined);
    if (words !== undefined) return { words, owners: "many" };
  }
  const noProcesses = tryRun(base, processes(unshare));
  if (noProcesses === undefined) return { words: base, owners: "one" };
  const refused = tryRun(base);
  if (refused === undefined) {
    return {
      reason: `steps cannot have processes of their own here: ${noProcesses}`,
      hint: "This container hides parts of /proc, so Linux allows no other one: start it with --security-opt systempaths=unconfined (Kubernetes: procMount: Unmasked).",
    };
  }
  return { reason: `user namespaces are not allowed here: ${refused}`, ...namespaceHint() };
}

/** What shows that steps can have a /proc of their own, which containers that hide parts of theirs do not allow. */
function processes(unshare: string): readonly string[] {
  return [unshare, "--pid", "--fork", "--mount-proc", "--", "true"];
}

/** Why files cannot have several owners. */
export function manyObstacle(owner: RangeOwner, path: string): Obstacle | undefined {
  const who = owner.name ?? String(owner.uid);
  const ids = grantedIds(owner);
  if (ids < enoughIds) {
    const command = lendingCommand(who);
    return {
      reason: `${who} has no ranges of ids in /etc/subuid and /etc/subgid`,
      hint: `Run as root: ${command}`,
      command,
    };
  }
  const missing = ["newuidmap", "newgidmap"].find((name) => findProgram(name, path) === undefined);
  if (missing === undefined) return undefined;
  return {
    reason: `${missing} is not installed`,
    hint: "Install it, as root: apt-get install uidmap (Fedora: dnf install shadow-utils)",
  };
}

/** What the program said when it failed; undefined when it worked. */
export function tryRun(
  command: readonly string[],
  program: readonly string[] = ["true"],
): string | undefined {
  const [first = "", ...rest] = [...command, ...program];
  const run = spawnSync(first, rest, {
    encoding: "utf8",
    timeout: 10_000,
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (run.status === 0) return undefined;
  const said = run.stderr?.trim().split("\n").at(-1) ?? "";
  return said || run.error?.message || `exit code ${run.status ?? run.signal}`;
}

function namespaceHint(): { readonly hint: string } {
  return {
    hint: "Run as root: sysctl -w user.max_user_namespaces=15000 kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0 (those that exist); in a container, allow the system calls unshare, clone and mount.",
  };
}
