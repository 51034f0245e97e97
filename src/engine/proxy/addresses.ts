// Addresses that are the machine's alone: nothing that a step asks for may lead there.
import { BlockList, isIP } from "node:net";

const machine = new BlockList();
for (const [network, bits] of [
  ["0.0.0.0", 8],
  ["127.0.0.0", 8],
  // Link-local: a cloud's metadata service among others.
  ["169.254.0.0", 16],
  ["224.0.0.0", 3],
] as const)
  machine.addSubnet(network, bits, "ipv4");
for (const [network, bits] of [
  ["::", 128],
  ["::1", 128],
  ["fe80::", 10],
  ["ff00::", 8],
  // AWS's metadata service.
  ["fd00:ec2::", 32],
] as const)
  machine.addSubnet(network, bits, "ipv6");

/** IPv6 networks in which IPv4 addresses are the last four bytes: mapped, compatible, and NAT64 (RFC 6052). */
const around4 = ["::ffff:", "::", "64:ff9b::"] as const;

/** Whether an address is loopback, link-local, unspecified or for many; also where IPv6 is wrapped around it. */
export function isMachines(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return true;
  if (family === 4) return machine.check(address, "ipv4");
  const written = new URL(`http://[${address.replace(/%.*$/, "")}]`).hostname.slice(1, -1);
  if (machine.check(written, "ipv6")) return true;
  const prefix = around4.find((one) => written.startsWith(one));
  const groups = prefix === undefined ? [] : written.slice(prefix.length).split(":");
  if (groups.length === 0 || groups.length > 2) return false;
  const [high = 0, low = 0] = [...(groups.length === 1 ? ["0"] : []), ...groups].map((group) =>
    Number.parseInt(group || "0", 16),
  );
  const inner = [high >> 8, high & 255, low >> 8, low & 255].join(".");
  return machine.check(inner, "ipv4");
}
