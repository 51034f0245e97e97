// What the machine must offer for a test to be real: probed, and a skip says what is missing.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe } from "vitest";

/** Undefined where it is there, else what is missing. */
type Probe = () => string | undefined;

const probes: Readonly<Record<Need, Probe>> = {
  root: () => (process.getuid?.() === 0 ? undefined : "root"),
  runtime: () => (onPath("crun") || onPath("runc") ? undefined : "crun or runc"),
  registry: () => (onPath("docker-registry") ? undefined : "docker-registry"),
  bundle: () =>
    existsSync(join(import.meta.dirname, "../../dist/kiln.cjs"))
      ? undefined
      : "dist (npm run build)",
  emulation: () => ["aarch64", "arm"].map(handlerMissing).find((one) => one !== undefined),
  qemu: () => (onPath("qemu-aarch64-static") ? undefined : "qemu-user-static"),
  users: () =>
    ["useradd", "newuidmap", "proot", "fuse-overlayfs", "slirp4netns", "pasta"].find(
      (one) => !onPath(one),
    ),
  busybox: () => (existsSync("/bin/busybox") ? undefined : "busybox-static"),
  apt: () => (onPath("apt-get") ? undefined : "apt-get"),
  gpg: () => (onPath("gpg") ? undefined : "gnupg"),
  "ssh-keygen": () => (onPath("ssh-keygen") ? undefined : "openssh-client"),
  sshd: () => (existsSync("/usr/sbin/sshd") ? undefined : "openssh-server"),
  buildx: () => (findBuildx() === undefined ? "docker-buildx" : undefined),
  loop: () => (existsSync("/dev/loop-control") && onPath("mkfs.ext4") ? undefined : "loop devices"),
};

export type Need =
  | "root"
  | "runtime"
  | "registry"
  | "bundle"
  | "emulation"
  | "qemu"
  | "users"
  | "apt"
  | "busybox"
  | "gpg"
  | "ssh-keygen"
  | "sshd"
  | "buildx"
  | "loop";

/** The stock client: installed, or among other tools in a directory of their own. */
export function findBuildx(): string | undefined {
  const peers = process.env["KILN_PEERS"] ?? "/tmp/peers";
  return [
    join(peers, "docker-config/cli-plugins/docker-buildx"),
    join(peers, "sid/usr/libexec/docker/cli-plugins/docker-buildx"),
    "/usr/libexec/docker/cli-plugins/docker-buildx",
  ].find((path) => existsSync(path));
}

/**
 * A group of tests that need something of the machine. Where it is missing they are skipped with the reason printed,
 * and fail in CI, which promises all of it.
 */
export function describeWith(needs: readonly Need[], name: string, body: () => void): void {
  const missing = needs.map((need) => probes[need]()).filter((one) => one !== undefined);
  if (missing.length === 0) {
    describe(name, body);
    return;
  }
  const reason = `${name}: missing here: ${missing.join(", ")}`;
  if (process.env["CI"]) throw new Error(reason);
  console.warn(`skipped: ${reason}`);
  describe.skipIf(true)(name, body);
}

function onPath(program: string): boolean {
  const path = process.env["PATH"] ?? "";
  return path.split(delimiter).some((directory) => existsSync(join(directory, program)));
}

function handlerMissing(architecture: string): string | undefined {
  const file = `/proc/sys/fs/binfmt_misc/qemu-${architecture}`;
  if (existsSync(file) && readFileSync(file, "utf8").startsWith("enabled")) return undefined;
  return `a binfmt_misc handler for ${architecture} (sh scripts/setup.sh)`;
}

/** Version line of a program, for messages. */
export function versionOf(program: string): string {
  return execFileSync(program, ["--version"], { encoding: "utf8" }).split("\n")[0] ?? "";
}
