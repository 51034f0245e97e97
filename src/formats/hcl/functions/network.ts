// Functions of IP addresses and the networks that CIDR notation names.
import { FunctionError, type HclFunction } from "../function.ts";
import { list, number, simple, text } from "./signature.ts";

/** An address as a number of `bits` bits, and how many of them are the network's. */
interface Network {
  readonly address: bigint;
  readonly bits: 32 | 128;
  readonly prefix: number;
}

function parseNetwork(value: string): Network {
  const [address = "", length = ""] = value.split("/");
  const parsed = parseAddress(address);
  const prefix = /^\d{1,3}$/.test(length) ? Number(length) : -1;
  if (!parsed || prefix < 0 || prefix > parsed.bits)
    throw new FunctionError(`invalid CIDR expression: invalid CIDR address: ${value}`, 0);
  const host = BigInt(parsed.bits - prefix);
  return { address: (parsed.address >> host) << host, bits: parsed.bits, prefix };
}

function parseAddress(
  value: string,
): { readonly address: bigint; readonly bits: 32 | 128 } | undefined {
  const four = parseFour(value);
  if (four !== undefined) return { address: four, bits: 32 };
  const six = parseSix(value);
  return six === undefined ? undefined : { address: six, bits: 128 };
}

function parseFour(value: string): bigint | undefined {
  const parts = value.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && +part < 256))
    return undefined;
  return parts.reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

function parseSix(value: string): bigint | undefined {
  const [head = "", tail, extra] = value.split("::");
  if (extra !== undefined) return undefined;
  const groups = (text_: string) => (text_ === "" ? [] : text_.split(":"));
  const [before, after] = [groups(head), groups(tail ?? "")];
  const missing = 8 - before.length - after.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const all = [...before, ...Array<string>(tail === undefined ? 0 : missing).fill("0"), ...after];
  if (!all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return all.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

function addressText(address: bigint, bits: 32 | 128): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 255n).join(".");
  const groups = Array.from({ length: 8 }, (_, at) =>
    ((address >> BigInt(112 - at * 16)) & 0xffffn).toString(16),
  );
  // The longest run of zeros, if longer than one, is left out (RFC 5952).
  const runs = [...groups.join(":").matchAll(/\b0(?::0)+\b/g)].map(([run]) => run);
  const longest = runs.reduce((a, b) => (b.length > a.length ? b : a), "");
  if (longest === "") return groups.join(":");
  return groups
    .join(":")
    .replace(longest, ":")
    .replace(/^::?$|:{3,}/, "::")
    .replace(/^:([^:])/, "::$1")
    .replace(/([^:]):$/, "$1::");
}

function networkText({ address, bits, prefix }: Network): string {
  return `${addressText(address, bits)}/${prefix}`;
}

function subnet(network: Network, newBits: number, index: bigint): Network {
  const prefix = network.prefix + newBits;
  if (prefix > network.bits)
    throw new FunctionError(
      `insufficient address space to extend prefix of ${network.prefix} by ${newBits}`,
    );
  if (index < 0n || index >= 1n << BigInt(newBits))
    throw new FunctionError(
      `prefix extension of ${newBits} does not accommodate a subnet numbered ${index}`,
    );
  const address = network.address | (index << BigInt(network.bits - prefix));
  return { ...network, address, prefix };
}

function host(network: Network, index: number): string {
  const size = 1n << BigInt(network.bits - network.prefix);
  const at = index < 0 ? size + BigInt(index) : BigInt(index);
  if (at < 0n || at >= size) {
    throw new FunctionError(
      `prefix of ${network.prefix} does not accommodate a host numbered ${index}`,
    );
  }
  return addressText(network.address + at, network.bits);
}

/** Networks one after another, each of as many further bits as asked. */
function subnets(network: Network, newBits: readonly number[]): string[] {
  let next = network.address;
  const end = network.address + (1n << BigInt(network.bits - network.prefix));
  return newBits.map((bits, at) => {
    const prefix = network.prefix + bits;
    if (bits < 1) throw new FunctionError("must extend prefix by at least one bit", at + 1);
    if (prefix > network.bits)
      throw new FunctionError(
        `would extend prefix to ${prefix} bits, which is too long for an ${network.bits === 32 ? "IPv4" : "IPv6"} address`,
        at + 1,
      );
    const size = 1n << BigInt(network.bits - prefix);
    const address = ((next + size - 1n) / size) * size;
    next = address + size;
    if (next > end)
      throw new FunctionError(
        `not enough remaining address space for a subnet with a prefix of ${prefix} bits`,
        at + 1,
      );
    return networkText({ ...network, address, prefix });
  });
}

function whole(value: unknown, name: string, argument: number): number {
  if (Number.isInteger(value)) return Number(value);
  throw new FunctionError(`${name} must be a whole number`, argument);
}

export const networkFunctions: Readonly<Record<string, HclFunction>> = {
  cidrhost: simple([text("prefix"), number("hostnum")], ([prefix, index]) =>
    host(parseNetwork(String(prefix)), whole(index, "hostnum", 1)),
  ),
  cidrnetmask: simple([text("prefix")], ([prefix]) => {
    const network = parseNetwork(String(prefix));
    if (network.bits !== 32)
      throw new FunctionError(`IPv6 addresses cannot have a netmask: ${String(prefix)}`, 0);
    const free = BigInt(32 - network.prefix);
    return addressText((0xffffffffn >> free) << free, 32);
  }),
  cidrsubnet: simple(
    [text("prefix"), number("newbits"), number("netnum")],
    ([prefix, bits, index]) =>
      networkText(
        subnet(
          parseNetwork(String(prefix)),
          whole(bits, "newbits", 1),
          BigInt(whole(index, "netnum", 2)),
        ),
      ),
  ),
  cidrsubnets: {
    params: [text("prefix")],
    rest: number("newbits"),
    call: ([prefix, ...bits]) =>
      list(
        subnets(
          parseNetwork(String(prefix)),
          bits.map((one, at) => whole(one, "newbits", at + 1)),
        ),
      ),
  },
};
