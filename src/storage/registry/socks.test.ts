// SOCKS 5 proxies: names are looked up by the proxy, passwords go to it alone, and refusals are told in words.
import { Buffer } from "node:buffer";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { startRegistry } from "../../../test/kit/registry.ts";
import { testCertificate } from "../../../test/kit/registry-certificate.ts";
import { call, testClient } from "../../../test/kit/registry-client.ts";
import { mediaTypes } from "../../formats/oci/index.ts";

const manifest = new TextEncoder().encode('{"schemaVersion":2}');

interface Proxy {
  readonly url: string;
  /** What was asked for: `type host:port`. */
  readonly asked: string[];
  close(): void;
}
const open: Proxy[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

/** Connects to `target` whatever is asked for, in bytes one by one, or refuses with `reply`. */
async function startProxy(
  target: string,
  { login, reply = 0 }: { readonly login?: string; readonly reply?: number } = {},
): Promise<Proxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer(async (socket) => {
    sockets.add(socket.on("error", () => {}));
    const take = async (count: number): Promise<Buffer> => {
      for (;;) {
        const data: Buffer | null = socket.read(count);
        if (data) return data;
        await new Promise((resolve) => socket.once("readable", resolve));
      }
    };
    const say = (...bytes: number[]) => bytes.forEach((byte) => void socket.write(Buffer.of(byte)));
    const [, methods = 0] = await take(2);
    const offered = [...(await take(methods))];
    const method = login === undefined ? 0 : 2;
    if (!offered.includes(method)) return say(5, 255);
    say(5, method);
    if (login !== undefined) {
      const [, nameLength = 0] = await take(2);
      const name = (await take(nameLength)).toString();
      const [passwordLength = 0] = await take(1);
      const password = (await take(passwordLength)).toString();
      say(1, `${name}:${password}` === login ? 0 : 1);
    }
    const [, , , type] = await take(4);
    const length = type === 1 ? 4 : type === 4 ? 16 : ((await take(1))[0] ?? 0);
    const host = await take(length);
    const port = (await take(2)).readUInt16BE();
    asked.push(`${type} ${type === 3 ? host.toString() : host.toString("hex")}:${port}`);
    say(5, reply, 0, 1, 0, 0, 0, 0, 0, 0);
    if (reply !== 0) return void socket.end();
    const [to = "", at = ""] = target.split(":");
    const upstream = connect(Number(at), to).on("error", () => {});
    sockets.add(upstream);
    upstream.pipe(socket).pipe(upstream);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy = {
    url: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
  open.push(proxy);
  return proxy;
}

function clientOf(proxy: string, name: string, scheme: string) {
  return testClient({
    environment: { HTTP_PROXY: proxy, HTTPS_PROXY: proxy },
    hosts: { [name]: { http: scheme === "http", insecure: true } },
  });
}

describe.each(["http", "https"])("a SOCKS proxy for %s", (scheme) => {
  test.each(["registry.example:5000", "[fd00::1:2]:5000"])("reaches %s", async (name) => {
    await using registry = await startRegistry(scheme === "https" ? { tls: testCertificate } : {});
    registry.addManifest("a", "1", manifest, mediaTypes.ociIndex);
    const proxy = await startProxy(registry.host, { login: "user:p@ss" });
    using client = clientOf(`socks5://user:p%40ss@${proxy.url}`, name, scheme);
    expect(await client.pull(`${name}/a`).resolve("1", call)).toBeDefined();
    expect(proxy.asked[0]).toBe(
      name.startsWith("[") ? "4 fd000000000000000000000000010002:5000" : "3 registry.example:5000",
    );
  });

  test("that refuses says why", async () => {
    const proxy = await startProxy("127.0.0.1:1", { reply: 2 });
    using client = clientOf(`socks5h://${proxy.url}`, "registry.example:5000", scheme);
    await expect(client.pull("registry.example:5000/a").resolve("1", call)).rejects.toThrow(
      /connection not allowed/,
    );
  });

  test("with another password is told so", async () => {
    const proxy = await startProxy("127.0.0.1:1", { login: "user:other" });
    using client = clientOf(`socks5://user:pw@${proxy.url}`, "registry.example:5000", scheme);
    await expect(client.pull("registry.example:5000/a").resolve("1", call)).rejects.toThrow(
      /does not take this name and password/,
    );
  });
});
