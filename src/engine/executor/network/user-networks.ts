// Networks of steps in a user namespace, which may make no link to the machine: a program of the user's carries their packets.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { AsyncStack } from "../../../base/index.ts";
import { loadSyscalls } from "../../../storage/snapshot/index.ts";
import { type Carrier, carriedNameServer, carriers } from "./carriers.ts";
import type { LentNetwork, StepNetworks } from "./step-networks.ts";

const MS_BIND = 4096;
const MNT_DETACH = 2;

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
  /** The only carrier to be used; the first that works where absent. */
  readonly carrier?: Carrier["name"];
}

/** Prepares one and tries it. Rejects, with the reason in words, where no carrier works. */
export async function openUserNetworks(options: UserNetworksOptions): Promise<StepNetworks> {
  const need = (name: string, what: string): string => {
    const found = options.find(name);
    if (found === undefined) throw new Error(`${name} is not installed (${what})`);
    return found;
  };
  const programs = {
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
  const { network, carry } = await firstThatCarries(installed(options), (carrier) =>
    openUserNetwork(join(directory, "1"), programs, carrier),
  );
  free.push(network);
  let made = 1;
  const make = () => openUserNetwork(join(directory, `${++made}`), programs, carry);
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

/** A carrier, and where its program is. */
interface Installed extends Carrier {
  readonly program: string;
}

/** Throws, with what would help, where there is none. */
function installed({ find, carrier }: UserNetworksOptions): readonly Installed[] {
  const wanted = carriers.filter(({ name }) => carrier === undefined || name === carrier);
  const found = wanted.flatMap((one) => {
    const program = find(one.name);
    return program === undefined ? [] : [{ ...one, program }];
  });
  if (found.length > 0) return found;
  const names = wanted.map(({ name }) => name).join(" nor ");
  const packages = wanted.map(({ packageName }) => `apt-get install ${packageName}`).join(", or ");
  const none = wanted.length > 1 ? `neither ${names} is installed` : `${names} is not installed`;
  throw new Error(`${none} (${packages})`);
}

/** Rejects with every carrier's own reason. */
async function firstThatCarries(
  all: readonly Installed[],
  open: (carrier: Installed) => Promise<UserNetwork>,
): Promise<{ readonly network: UserNetwork; readonly carry: Installed }> {
  const reasons: string[] = [];
  for (const carry of all) {
    try {
      return { network: await open(carry), carry };
    } catch (error) {
      reasons.push(`${carry.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(reasons.join("; "));
}

interface Programs {
  readonly ip: string;
  readonly unshare: string;
  readonly setpriv: string | undefined;
}

async function openUserNetwork(
  path: string,
  programs: Programs,
  carrier: Installed,
): Promise<UserNetwork> {
  await using opening = new AsyncStack();
  const { ip, unshare, setpriv } = programs;
  const leash = setpriv === undefined ? [] : [setpriv, "--pdeathsig", "KILL"];
  const maker = start([...leash, unshare, "--net", "sh", "-c", configure, "sh", ip]);
  opening.defer(() => end(maker));
  await said(maker, once(maker.stdout as Readable, "data"));
  writeFileSync(path, "");
  loadSyscalls().mount(`/proc/${maker.pid}/ns/net`, path, "", MS_BIND, "");
  opening.defer(() => loadSyscalls().umount2(path, MNT_DETACH));
  const ready = `${path}.${carrier.name}`;
  const child = start([...leash, carrier.program, ...carrier.words(path, ready)]);
  opening.defer(() => end(child));
  const told =
    carrier.ready === "file" ? written(ready, child) : once(child.stdio[3] as Readable, "data");
  await said(child, told);
  await end(maker);
  child.unref();
  const owned = opening.move();
  return { path, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

function start([program = "", ...args]: readonly string[]): ChildProcess {
  return spawn(program, args, { stdio: ["pipe", "pipe", "pipe", "pipe"], env: {} });
}

/** Waits until it has `told`; rejects with its complaint when it ends instead. */
async function said(child: ChildProcess, told: Promise<unknown>): Promise<void> {
  let complaint = "";
  child.stderr?.on("data", (data: Uint8Array) => {
    complaint += new TextDecoder().decode(data);
  });
  child.stdout?.resume();
  const failed = Promise.race([
    once(child, "error").then(([error]) => Promise.reject(error)),
    once(child, "close").then(() => Promise.reject(new Error(firstLine(complaint)))),
  ]);
  failed.catch(() => {});
  await Promise.race([told, failed]);
  // Whoever waited for a file has seen the end before the last words came.
  if (child.exitCode !== null || child.signalCode !== null) await failed;
}

/** Waits until something is in the file, while the child runs; there is no descriptor that says so. */
async function written(file: string, child: ChildProcess): Promise<void> {
  while (!existsSync(file) || statSync(file).size === 0) {
    if (child.exitCode !== null || child.signalCode !== null) return;
    await setTimeout(2);
  }
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

/** The carrier asks the machine's servers; how names are completed stays as the machine has it. */
function resolver(): string {
  const text = existsSync("/etc/resolv.conf") ? readFileSync("/etc/resolv.conf", "utf8") : "";
  const rest = text.split("\n").filter((line) => /^\s*(search|options|domain)\s/.test(line));
  return `${[`nameserver ${carriedNameServer}`, ...rest.map((line) => line.trim())].join("\n")}\n`;
}

/** The machine as a step can reach it; loopback where it has no other address. */
function machineAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((one) => one ?? []);
  return all.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1";
}
