// What steps may reach, and under whose address: a table of the kernel's packet filter that vanishes with its owner.
import {
  attribute,
  be32,
  concat,
  cstring,
  ipv4,
  NETLINK_NETFILTER,
  type Netlink,
  type NetlinkMessage,
  openNetlink,
} from "./netlink.ts";

/** Every interface that leads to a step begins with this. */
export const stepInterface = "kiln";

export interface FirewallOptions {
  /** Of the table. */
  readonly name: string;
  /** The first two numbers of the addresses that steps have, such as `10.213`. */
  readonly addresses: string;
  /** Name servers in 169.254.0.0/16, the only ones there that steps may ask. */
  readonly linkLocalResolvers: readonly string[];
}

const subsystem = 10;
const BATCH_BEGIN = 16;
const BATCH_END = 17;
const NEWTABLE = 0;
const NEWCHAIN = 3;
const NEWRULE = 6;
const NLM_F_CREATE = 0x400;
const NLM_F_APPEND = 0x800;
const NFPROTO_UNSPEC = 0;
const NFPROTO_IPV4 = 2;
/** Linux 5.12: the kernel removes the table when the connection that made it is closed, however that happens. */
const TABLE_OWNER = 2;
const hooks = { prerouting: 0, forward: 2, postrouting: 4 } as const;
const priorities = { raw: -300, filter: 0, sourceNat: 100 } as const;

/**
 * Puts the rules into the calling thread's network namespace. Steps share the machine's address; they reach neither its
 * loopback nor link-local services (cloud metadata) nor each other, and nobody from outside reaches them. Throws where the
 * kernel or its modules do not do that.
 */
export function openFirewall(options: FirewallOptions): Disposable {
  const netlink = openNetlink(NETLINK_NETFILTER);
  try {
    addRules(netlink, options);
  } catch (error) {
    netlink[Symbol.dispose]();
    throw error;
  }
  return netlink;
}

function addRules(netlink: Netlink, { name, addresses, linkLocalResolvers }: FirewallOptions) {
  const [first = 0, second = 0] = addresses.split(".").map(Number);
  const fromStep = interfaceIs(meta.inName);
  const toStep = interfaceIs(meta.outName);
  const rule = (chain: string, ...expressions: Uint8Array[]) =>
    message(NEWRULE, NLM_F_CREATE | NLM_F_APPEND, [
      attribute(1, cstring(name)),
      attribute(2, cstring(chain)),
      attribute(4, expressions),
    ]);
  const chain = (chainName: keyof typeof hooks, type: string, priority: number) =>
    message(NEWCHAIN, NLM_F_CREATE, [
      attribute(1, cstring(name)),
      attribute(3, cstring(chainName)),
      attribute(4, [attribute(1, be32(hooks[chainName])), attribute(2, be32(priority))]),
      attribute(7, cstring(type)),
    ]);
  netlink.request([
    batch(BATCH_BEGIN),
    message(NEWTABLE, NLM_F_CREATE, [attribute(1, cstring(name)), attribute(2, be32(TABLE_OWNER))]),
    chain("prerouting", "filter", priorities.raw),
    ...linkLocalResolvers.flatMap((server) =>
      [udp, tcp].map((protocol) =>
        rule(
          "prerouting",
          ...fromStep,
          ...destinationIs(ipv4(server)),
          ...dnsOver(protocol),
          verdict(accept),
        ),
      ),
    ),
    rule("prerouting", ...fromStep, ...destinationIs(Uint8Array.of(169, 254)), verdict(drop)),
    rule("prerouting", ...fromStep, ...destinationIs(Uint8Array.of(127)), verdict(drop)),
    chain("forward", "filter", priorities.filter),
    rule("forward", ...toStep, ...isNewConnection(), verdict(drop)),
    chain("postrouting", "nat", priorities.sourceNat),
    rule("postrouting", ...sourceIs(Uint8Array.of(first, second)), expression("masq", [])),
    batch(BATCH_END),
  ]);
}

const meta = { inName: 6, outName: 7, protocol: 16 } as const;
const tcp = 6;
const udp = 17;
const drop = 0;
const accept = 1;
const networkHeader = 1;
const transportHeader = 2;

function batch(type: number): NetlinkMessage {
  // struct nfgenmsg, with the subsystem as a number in network byte order.
  return { type, body: Uint8Array.of(NFPROTO_UNSPEC, 0, 0, subsystem), quiet: true };
}

function message(type: number, flags: number, attributes: readonly Uint8Array[]): NetlinkMessage {
  const header = Uint8Array.of(NFPROTO_IPV4, 0, 0, 0);
  return { type: (subsystem << 8) | type, flags, body: concat([header, ...attributes]) };
}

function expression(name: string, data: readonly Uint8Array[]): Uint8Array {
  return attribute(1, [attribute(1, cstring(name)), attribute(2, data)]);
}

/** Everything goes through the first register. */
const register = be32(1);

function load(name: "meta" | "ct", key: number): Uint8Array {
  return expression(name, [attribute(1, register), attribute(2, be32(key))]);
}

function compare(data: Uint8Array, operation = 0): Uint8Array {
  return expression("cmp", [
    attribute(1, register),
    attribute(2, be32(operation)),
    attribute(3, [attribute(1, data)]),
  ]);
}

function payload(base: number, offset: number, length: number): Uint8Array {
  return expression("payload", [
    attribute(1, register),
    attribute(2, be32(base)),
    attribute(3, be32(offset)),
    attribute(4, be32(length)),
  ]);
}

/** Comparing fewer bytes than the register has compares the beginning. */
function interfaceIs(key: number): Uint8Array[] {
  return [load("meta", key), compare(new TextEncoder().encode(stepInterface))];
}

function sourceIs(prefix: Uint8Array): Uint8Array[] {
  return [payload(networkHeader, 12, prefix.length), compare(prefix)];
}

function destinationIs(prefix: Uint8Array): Uint8Array[] {
  return [payload(networkHeader, 16, prefix.length), compare(prefix)];
}

function dnsOver(protocol: number): Uint8Array[] {
  return [
    load("meta", meta.protocol),
    compare(Uint8Array.of(protocol)),
    payload(transportHeader, 2, 2),
    compare(Uint8Array.of(0, 53)),
  ];
}

function isNewConnection(): Uint8Array[] {
  const stateKey = 0;
  const isNew = new Uint8Array(new Uint32Array([8]).buffer);
  const none = new Uint8Array(4);
  const notEqual = 1;
  const bitwise = expression("bitwise", [
    attribute(1, register),
    attribute(2, register),
    attribute(3, be32(4)),
    attribute(4, [attribute(1, isNew)]),
    attribute(5, [attribute(1, none)]),
  ]);
  return [load("ct", stateKey), bitwise, compare(none, notEqual)];
}

function verdict(code: number): Uint8Array {
  return expression("immediate", [
    attribute(1, be32(0)),
    attribute(2, [attribute(2, [attribute(1, be32(code))])]),
  ]);
}
