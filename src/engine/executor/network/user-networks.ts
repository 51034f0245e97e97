// Networks of steps in a user namespace, which may make no link to the machine: slirp4netns carries their packets.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { AsyncStack } from "../../../base/index.ts";
import { loadSyscalls } from "../../../storage/snapshot/index.ts";
import type { LentNetwork, StepNetworks } from "./step-networks.ts";

const MS_BIND = 4096;
const MNT_DETACH = 2;

/** slirp4netns's own addresses. */
const nameServer = "10.0.2.3";

/**
 * Made inside the new network namespace: loopback, no way to a cloud's metadata service, ports and ping as Docker has them.
 * Waits until it is told to end: the namespace is held by a mount then.
 */
const configure = `set -e
"$1" link set lo up
"$1" route add unreachable 169.254.0.0/16
echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start || :
echo '0 2147483647' >/proc/sys/net/ipv4/ping_group_range || :
echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6 || :
echo ready
read -r _ || :`;

export interface UserNetworksOptions {
  /** In this process's private mount namespace. */
  readonly directory: string;
  /** Where a program is. */
  readonly find: (name: string) => string | undefined;
}

/** Prepares one and tries it. Rejects, with the reason in words, where that does not work. */
export async function openUserNetworks(options: UserNetworksOptions): Promise<StepNetworks> {
  const need = (name: string, what: string): string => {
    const found = options.find(name);
    if (found === undefined) throw new Error(`${name} is not installed (${what})`);
    return found;
  };
  const programs = {
    slirp: need("slirp4netns", "apt-get install slirp4netns"),
    ip: need("ip", "apt-get install iproute2"),
    unshare: need("unshare", "apt-get install util-linux"),
    setpriv: options.find("setpriv"),
  };
  if (!existsSync("/dev/net/tun")) throw new Error("there is no /dev/net/tun");
  const directory = join(options.directory, "user-networks");
  mkdirSync(directory, { recursive: true });
  await using opening = new AsyncStack();
  const free: UserNetwork[] = [];
  opening.defer(async () => {
    for (const network of free) await network[Symbol.asyncDispose]();
  });
  let made = 0;
  const make = () => openUserNetwork(join(directory, `${++made}`), programs);
  free.push(await make());
  const owned = opening.move();
  let open = true;
  return {
    resolver: { text: resolver(), linkLocal: [], isFallback: false },
    async lend({ spoil }): Promise<LentNetwork> {
      const network = free.pop() ?? (await make());
      return {
        path: network.path,
        gateway: machineAddress(),
        [Symbol.dispose]: () => {
          if (spoil || !open) void network[Symbol.asyncDispose]();
          else free.push(network);
        },
      };
    },
    async [Symbol.asyncDispose]() {
      open = false;
      await owned[Symbol.asyncDispose]();
    },
  };
}

interface UserNetwork extends AsyncDisposable {
  readonly path: string;
}

interface Programs {
  readonly slirp: string;
  readonly ip: string;
  readonly unshare: string;
  readonly setpriv: string | undefined;
}

async function openUserNetwork(path: string, programs: Programs): Promise<UserNetwork> {
  await using opening = new AsyncStack();
  const { slirp, ip, unshare, setpriv } = programs;
  const leash = setpriv === undefined ? [] : [setpriv, "--pdeathsig", "KILL"];
  const maker = start([...leash, unshare, "--net", "sh", "-c", configure, "sh", ip]);
  opening.defer(() => end(maker));
  await said(maker, maker.stdout as Readable);
  writeFileSync(path, "");
  loadSyscalls().mount(`/proc/${maker.pid}/ns/net`, path, "", MS_BIND, "");
  opening.defer(() => loadSyscalls().umount2(path, MNT_DETACH));
  // The machine's loopback holds what listens to nobody else.
  const flags = ["--configure", "--mtu=65520", "--disable-host-loopback", "--ready-fd=3"];
  const carrier = start([...leash, slirp, ...flags, "--netns-type=path", path, "eth0"]);
  opening.defer(() => end(carrier));
  await said(carrier, carrier.stdio[3] as Readable);
  await end(maker);
  carrier.unref();
  const owned = opening.move();
  return { path, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

function start([program = "", ...args]: readonly string[]): ChildProcess {
  return spawn(program, args, { stdio: ["pipe", "pipe", "pipe", "pipe"], env: {} });
}

/** Waits until it says anything; rejects with its complaint when it ends instead. */
async function said(child: ChildProcess, stream: Readable): Promise<void> {
  let complaint = "";
  child.stderr?.on("data", (data: Uint8Array) => {
    complaint += new TextDecoder().decode(data);
  });
  child.stdout?.resume();
  const ready = once(stream, "data");
  const failed = Promise.race([
    once(child, "error").then(([error]) => Promise.reject(error)),
    once(child, "close").then(() => Promise.reject(new Error(firstLine(complaint)))),
  ]);
  failed.catch(() => {});
  await Promise.race([ready, failed]);
}

/** What comes after it tells of the consequences. */
function firstLine(text: string): string {
  return text.trim().split("\n")[0] || "it ended without a word";
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  child.ref();
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/** slirp4netns asks the machine's servers; how names are completed stays as the machine has it. */
function resolver(): string {
  const text = existsSync("/etc/resolv.conf") ? readFileSync("/etc/resolv.conf", "utf8") : "";
  const rest = text.split("\n").filter((line) => /^\s*(search|options|domain)\s/.test(line));
  return `${[`nameserver ${nameServer}`, ...rest.map((line) => line.trim())].join("\n")}\n`;
}

/** The machine as a step can reach it; loopback where it has no other address. */
function machineAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((one) => one ?? []);
  return all.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1";
}
