// Users made for a test, who have nothing but what every user has: how builds without privilege are tried as root.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Need } from "./needs.ts";

/** A rung of the ladder, and who stands on it. */
export interface Way {
  readonly name: string;
  /** Value of KILN_ISOLATION; empty leaves the choice to Kiln. */
  readonly isolation: string;
  /** Whether the user has ranges of ids in /etc/subuid. */
  readonly ranges: boolean;
  /** Value of KILN_EMULATION, for builds of emulated steps. */
  readonly emulation?: string;
}

/** Where an emulator is put before every program of a step. */
export const prefixWays: readonly Way[] = [
  { name: "userns, emulator as prefix", isolation: "", ranges: true, emulation: "prefix" },
  { name: "one uid, emulator as prefix", isolation: "", ranges: false, emulation: "prefix" },
];

export const ways: readonly Way[] = [
  { name: "userns", isolation: "", ranges: true },
  { name: "userns with one uid", isolation: "", ranges: false },
  { name: "userns-fuse", isolation: "userns-fuse", ranges: true },
  { name: "userns-copy", isolation: "userns-copy", ranges: true },
  { name: "proot", isolation: "proot", ranges: false },
];

/** What attacks need on that rung; as root where absent. */
export function needsOf(way: Way | undefined): readonly Need[] {
  const emulated: readonly Need[] = way?.emulation === undefined ? [] : ["qemu", "users", "apt"];
  return ["root", "runtime", "bundle", "busybox", ...emulated];
}

export interface OrdinaryUser extends Disposable {
  readonly name: string;
  readonly uid: number;
  readonly home: string;
  /** Words to put before a command so that it runs as this user, with no rights of root's. */
  readonly become: readonly string[];
}

/**
 * Makes a user with a home. `become` enters a mount namespace in which /dev/fuse and /dev/net/tun are open to all, as they
 * are on distributions; nothing else of the machine differs. Needs root and useradd.
 */
export function makeUser(way: Pick<Way, "ranges">): OrdinaryUser {
  const name = `kiln-t${process.pid}-${Math.random().toString(36).slice(2, 6)}`;
  const devices = mkdtempSync(join(tmpdir(), "kiln-devices-"));
  const home = join(devices, "home");
  chmodSync(devices, 0o755);
  execFileSync("useradd", ["--create-home", "--home-dir", home, "--shell", "/bin/sh", name]);
  if (!way.ranges) withoutRanges(name);
  const id = (flag: string) => execFileSync("id", [flag, name], { encoding: "utf8" }).trim();
  const [uid, gid] = [id("-u"), id("-g")];
  const binds = [
    ["fuse", "/dev/fuse", "10", "229"],
    ["tun", "/dev/net/tun", "10", "200"],
  ].flatMap(([file = "", path = "", major = "", minor = ""]) => {
    const node = join(devices, file);
    execFileSync("mknod", ["--mode=666", node, "c", major, minor]);
    return [`[ ! -e ${path} ] || mount --bind ${node} ${path}`];
  });
  const script = `${binds.join("; ")}; exec setpriv --reuid=${uid} --regid=${gid} --clear-groups --inh-caps=-all -- "$@"`;
  return {
    name,
    uid: Number(uid),
    home,
    become: ["unshare", "--mount", "sh", "-c", script, "sh"],
    [Symbol.dispose]: () => {
      // Processes that are just ending count as the user's.
      const script =
        'for i in 1 2 3 4 5 6 7 8 9 10; do userdel "$0" && exit; sleep 0.5; done; exit 1';
      execFileSync("sh", ["-c", script, name], { stdio: "ignore" });
      rmSync(devices, { recursive: true, force: true });
    },
  };
}

/** What a fresh environment of that user holds. */
export function userEnvironment(user: OrdinaryUser, way: Way): Record<string, string> {
  return {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    HOME: user.home,
    USER: user.name,
    NO_COLOR: "1",
    ...(way.isolation === "" ? {} : { KILN_ISOLATION: way.isolation }),
    ...(way.emulation === undefined ? {} : { KILN_EMULATION: way.emulation }),
  };
}

/** useradd gives ranges of its own accord. */
function withoutRanges(name: string): void {
  for (const file of ["/etc/subuid", "/etc/subgid"]) {
    const lines = readFileSync(file, "utf8").split("\n");
    writeFileSync(file, lines.filter((line) => !line.startsWith(`${name}:`)).join("\n"));
  }
}
