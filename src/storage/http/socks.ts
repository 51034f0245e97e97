// Tunnels through SOCKS 5 proxies (RFC 1928), with a name and password where the proxy asks for them (RFC 1929).
import { connect, isIP, type Socket } from "node:net";
import { NetworkFailure } from "./network-error.ts";

/** Milliseconds for the whole of the handshake. */
const handshakeTimeout = 30_000;

const replies = [
  "succeeded",
  "general failure",
  "connection not allowed",
  "network unreachable",
  "host unreachable",
  "connection refused",
  "time to live expired",
  "command not supported",
  "address type not supported",
];

/** Whether a URL is that of a SOCKS proxy. */
export function isSocks({ protocol }: URL): boolean {
  return protocol === "socks5:" || protocol === "socks5h:" || protocol === "socks:";
}

/** A connection to `host` through the proxy, which also looks the name up. Throws `NetworkFailure` `EPROXY`. */
export async function openSocksTunnel(proxy: URL, host: string, port: number): Promise<Socket> {
  const socket = connect({
    host: proxy.hostname.replace(/^\[|\]$/g, ""),
    port: Number(proxy.port || 1080),
    noDelay: true,
  });
  const fail = (why: string) => new NetworkFailure("EPROXY", `the proxy ${proxy.host} ${why}`);
  const timer = setTimeout(() => socket.destroy(fail("did not answer in time")), handshakeTimeout);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve).once("error", reject);
    });
    const read = reader(socket, fail);
    const withPassword = proxy.username !== "" || proxy.password !== "";
    socket.write(Uint8Array.from(withPassword ? [5, 2, 0, 2] : [5, 1, 0]));
    const [version, method] = await read(2);
    if (version !== 5) throw fail("does not speak SOCKS 5");
    if (method === 2) await logIn(socket, proxy, read, fail);
    else if (method !== 0) throw fail("wants a way to log in that Kiln does not know");
    socket.write(Uint8Array.from([5, 1, 0, ...address(host), port >> 8, port & 255]));
    const [, reply = 1, , type] = await read(4);
    if (reply !== 0)
      throw fail(`refused to connect to ${host}:${port}: ${replies[reply] ?? `reply ${reply}`}`);
    const length = type === 1 ? 4 : type === 4 ? 16 : ((await read(1))[0] ?? 0);
    await read(length + 2);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    socket.removeAllListeners("error");
    socket.removeAllListeners("readable");
    socket.removeAllListeners("end");
  }
}

async function logIn(
  socket: Socket,
  { username, password }: URL,
  read: (count: number) => Promise<Uint8Array>,
  fail: (why: string) => NetworkFailure,
): Promise<void> {
  const words = [username, password].map((text) =>
    new TextEncoder().encode(decodeURIComponent(text)).subarray(0, 255),
  );
  socket.write(Uint8Array.from([1, ...words.flatMap((word) => [word.length, ...word])]));
  const [, status] = await read(2);
  if (status !== 0) throw fail("does not take this name and password");
}

/** RFC 1928, 5: an address of four or sixteen bytes, or a name. */
function address(host: string): readonly number[] {
  const family = isIP(host);
  if (family === 4) return [1, ...host.split(".").map(Number)];
  if (family === 6) return [4, ...sixteenBytes(host)];
  const name = new TextEncoder().encode(host);
  if (name.length > 255) throw new NetworkFailure("EPROXY", "the host's name is too long");
  return [3, name.length, ...name];
}

function sixteenBytes(host: string): readonly number[] {
  // The URL parser writes every form of an address in one: hexadecimal groups with at most one gap.
  const bare = new URL(`http://[${host}]`).hostname.slice(1, -1);
  const [head = "", tail] = bare.split("::");
  const groups = (text: string | undefined) =>
    (text ?? "")
      .split(":")
      .filter(Boolean)
      .map((group) => Number.parseInt(group, 16));
  const [first, last] = [groups(head), groups(tail)];
  const gap = tail === undefined ? 0 : 8 - first.length - last.length;
  const all = [...first, ...Array.from({ length: gap }, () => 0), ...last];
  return all.flatMap((group) => [group >> 8, group & 255]);
}

/** Exactly so many bytes; nothing beyond them is taken from the socket. */
function reader(
  socket: Socket,
  fail: (why: string) => NetworkFailure,
): (count: number) => Promise<Uint8Array> {
  return (count) =>
    new Promise((resolve, reject) => {
      const attempt = () => {
        const data: Uint8Array | null = socket.read(count);
        if (data === null) {
          if (socket.readableEnded || socket.destroyed) done(() => reject(fail("hung up")));
          return;
        }
        done(() => (data.length === count ? resolve(data) : reject(fail("hung up"))));
      };
      const ended = () => done(() => reject(fail("hung up")));
      const failed = (error: Error) => done(() => reject(error));
      const done = (then: () => void) => {
        socket.off("readable", attempt).off("end", ended).off("error", failed);
        then();
      };
      socket.on("readable", attempt).on("end", ended).on("error", failed);
      attempt();
    });
}
