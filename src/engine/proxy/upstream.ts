// The way to the servers that steps ask for: names looked up here, addresses checked, and only then connected to.
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { isIP, type Socket } from "node:net";
import type { OpenSocket } from "../../storage/http/index.ts";
import type { Egress } from "../executor/index.ts";
import { isMachines } from "./addresses.ts";

/** Milliseconds for each address. */
const connectTimeout = 30_000;
/** Addresses of one name that are tried. */
const maxAddresses = 8;

/** Opens connections to what may be reached through `egress`. */
export function openUpstream(egress: Egress): OpenSocket {
  const named = new Map(egress.hosts.map(({ host, ip }) => [host.toLowerCase(), ip]));
  return async (host, port) => {
    const known = isIP(host) ? host : named.get(host.toLowerCase());
    const found = known !== undefined ? [known] : await addressesOf(host);
    const allowed = egress.machine ? found : found.filter((address) => !isMachines(address));
    if (allowed.length === 0)
      throw new Error(`${host} is an address of the machine itself, which steps cannot reach`);
    let failure: unknown;
    for (const address of allowed.slice(0, maxAddresses)) {
      try {
        return await connect(egress, address, port);
      } catch (error) {
        failure ??= error;
      }
    }
    throw failure;
  };
}

/** IPv4 first: not every way out has IPv6. */
async function addressesOf(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true });
  return found.sort((a, b) => a.family - b.family).map(({ address }) => address);
}

async function connect(egress: Egress, host: string, port: number): Promise<Socket> {
  const socket = await egress.socket(isIP(host) === 6 ? 6 : 4);
  // Whoever uses it hears of errors by the request.
  socket.on("error", () => {});
  const timer = setTimeout(
    () => socket.destroy(new Error(`${host} did not answer in time`)),
    connectTimeout,
  );
  try {
    socket.setNoDelay(true);
    const connected = once(socket, "connect");
    socket.connect({ host, port });
    await connected;
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
