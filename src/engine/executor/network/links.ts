// Interfaces, addresses and routes: rtnetlink(7), as far as a step's network needs it.
import {
  attribute,
  concat,
  cstring,
  ipv4,
  type Netlink,
  type NetlinkMessage,
  u16,
  u32,
} from "./netlink.ts";
import { socketCalls } from "./socket-calls.ts";

const RTM_NEWLINK = 16;
const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const AF_INET = 2;
const IFF_UP = 1;
const IFLA = { name: 3, mtu: 4, linkInfo: 18, netNsFd: 28 } as const;
const INFO = { kind: 1, data: 2 } as const;
const VETH_INFO_PEER = 1;
const IFA = { address: 1, local: 2 } as const;
const RTA = { destination: 1, outInterface: 4, gateway: 5 } as const;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RTN = { unicast: 1, unreachable: 7 } as const;

export interface VethPair {
  /** In the namespace of the connection. */
  readonly name: string;
  readonly peer: string;
  /** Namespace of the peer. */
  readonly peerNamespace: number;
  readonly mtu: number;
}

/** Two interfaces, one the other's end. */
export function addVeth(netlink: Netlink, { name, peer, peerNamespace, mtu }: VethPair): void {
  const size = attribute(IFLA.mtu, u32(mtu));
  const other = concat([
    linkHeader(0, 0),
    attribute(IFLA.name, cstring(peer)),
    size,
    attribute(IFLA.netNsFd, u32(peerNamespace)),
  ]);
  const info = [
    attribute(INFO.kind, cstring("veth")),
    attribute(INFO.data, [attribute(VETH_INFO_PEER, other)]),
  ];
  const body = [
    linkHeader(0, 0),
    attribute(IFLA.name, cstring(name)),
    size,
    attribute(IFLA.linkInfo, info),
  ];
  netlink.request([create(RTM_NEWLINK, body)]);
}

/** Switches an interface on; it must be in the calling thread's namespace, as for all that follows. */
export function setUp(netlink: Netlink, name: string): void {
  netlink.request([{ type: RTM_NEWLINK, body: linkHeader(indexOf(name), IFF_UP) }]);
}

export function addAddress(netlink: Netlink, name: string, address: string, prefix: number): void {
  const header = concat([Uint8Array.of(AF_INET, prefix, 0, 0), u32(indexOf(name))]);
  const own = ipv4(address);
  netlink.request([
    create(RTM_NEWADDR, [header, attribute(IFA.local, own), attribute(IFA.address, own)]),
  ]);
}

/** A way to `destination` (`address/prefix`), or to everything: by a gateway, or none at all. */
export function addRoute(
  netlink: Netlink,
  way: { readonly destination?: string; readonly gateway?: string; readonly name?: string },
): void {
  const [address, prefix = "0"] = (way.destination ?? "").split("/");
  const kind = way.gateway === undefined ? RTN.unreachable : RTN.unicast;
  const header = Uint8Array.of(
    AF_INET,
    Number(prefix),
    0,
    0,
    RT_TABLE_MAIN,
    RTPROT_STATIC,
    0,
    kind,
    0,
    0,
    0,
    0,
  );
  const body: Uint8Array[] = [header];
  if (address) body.push(attribute(RTA.destination, ipv4(address)));
  if (way.gateway !== undefined) body.push(attribute(RTA.gateway, ipv4(way.gateway)));
  if (way.name !== undefined) body.push(attribute(RTA.outInterface, u32(indexOf(way.name))));
  netlink.request([create(RTM_NEWROUTE, body)]);
}

function create(type: number, parts: readonly Uint8Array[]): NetlinkMessage {
  return { type, flags: NLM_F_CREATE | NLM_F_EXCL, body: concat(parts) };
}

/** struct ifinfomsg: family, type, index, flags, which of them change. */
function linkHeader(index: number, flags: number): Uint8Array {
  return concat([Uint8Array.of(0, 0), u16(0), u32(index), u32(flags), u32(flags)]);
}

function indexOf(name: string): number {
  const index = socketCalls().interfaceIndex(name);
  if (index === 0) throw new Error(`there is no network interface ${name}`);
  return index;
}
