// One step's network: a namespace with loopback and a link to the machine, made without any program's help.
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadSyscalls } from "../../../storage/snapshot/index.ts";
import { chooseLink, type LinkAddresses, parseRoutes } from "./addresses.ts";
import { stepInterface } from "./firewall.ts";
import { addAddress, addRoute, addVeth, setUp } from "./links.ts";
import { NETLINK_ROUTE, openNetlink } from "./netlink.ts";
import { socketCalls } from "./socket-calls.ts";

const CLONE_NEWNET = 0x40000000;
const MS_BIND = 4096;
const MNT_DETACH = 2;

/** A namespace that steps use one after another. It ends when it is disposed, or with this process's mount namespace. */
export interface StepNetwork extends Disposable {
  /** A file that stands for it, as a container runtime takes it. */
  readonly path: string;
  /** The machine, as the step sees it: what `host-gateway` means. */
  readonly gateway: string;
}

export interface StepNetworkOptions {
  /** Where to put the file; exists, in this process's mount namespace. */
  readonly directory: string;
  readonly number: number;
  /** First two numbers of the addresses. */
  readonly addresses: string;
  readonly mtu: number;
  readonly linkLocalResolvers: readonly string[];
}

/** Throws what the kernel refuses. */
export function openStepNetwork(options: StepNetworkOptions): StepNetwork {
  const outside = openSync("/proc/thread-self/ns/net", "r");
  const name = `${stepInterface}${process.pid.toString(36)}n${options.number.toString(36)}`;
  const path = join(options.directory, `${options.number}`);
  mkdirSync(options.directory, { recursive: true });
  writeFileSync(path, "");
  try {
    const link = chooseLink(
      parseRoutes(readFileSync("/proc/net/route", "utf8")),
      options.addresses,
    );
    // All of this is one synchronous run: nobody else's socket or thread can come from the wrong namespace.
    loadSyscalls().unshare(CLONE_NEWNET);
    try {
      loadSyscalls().mount("/proc/thread-self/ns/net", path, "", MS_BIND, "");
      configureInside({ ...options, ...link, name, outside });
    } finally {
      socketCalls().setns(outside, CLONE_NEWNET);
    }
    configureOutside(name, link);
    return { path, gateway: link.gateway, [Symbol.dispose]: () => detach(path) };
  } catch (error) {
    detach(path);
    throw error;
  } finally {
    closeSync(outside);
  }
}

interface Inside extends StepNetworkOptions, LinkAddresses {
  readonly name: string;
  readonly outside: number;
}

function configureInside(inside: Inside): void {
  // Link-local IPv6 addresses that lead nowhere make programs try IPv6 first.
  set("net/ipv6/conf/default/disable_ipv6", "1");
  // As Docker has it: a step that is not root may offer port 80, and ping.
  set("net/ipv4/ip_unprivileged_port_start", "0");
  set("net/ipv4/ping_group_range", "0 2147483647");
  using netlink = openNetlink(NETLINK_ROUTE);
  setUp(netlink, "lo");
  const { name: peer, outside: peerNamespace, mtu, gateway } = inside;
  addVeth(netlink, { name: "eth0", peer, peerNamespace, mtu });
  addAddress(netlink, "eth0", inside.address, inside.prefix);
  setUp(netlink, "eth0");
  addRoute(netlink, { gateway, name: "eth0" });
  // The firewall only drops; who asks a cloud's metadata service should hear at once that there is none.
  addRoute(netlink, { destination: "169.254.0.0/16" });
  for (const server of inside.linkLocalResolvers)
    addRoute(netlink, { destination: `${server}/32`, gateway, name: "eth0" });
}

function configureOutside(name: string, { gateway, prefix }: LinkAddresses): void {
  using netlink = openNetlink(NETLINK_ROUTE);
  addAddress(netlink, name, gateway, prefix);
  setUp(netlink, name);
  writeFileSync(`/proc/sys/net/ipv4/conf/${name}/forwarding`, "1");
}

/** Not every kernel has every setting. */
function set(path: string, value: string): void {
  try {
    writeFileSync(`/proc/sys/${path}`, value);
  } catch {
    // Nothing depends on it.
  }
}

function detach(path: string): void {
  try {
    loadSyscalls().umount2(path, MNT_DETACH);
  } catch {
    // It was never mounted.
  }
}
