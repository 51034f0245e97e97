// Proxies: which hosts they are for, and that nothing but what is theirs is shown to them.
import { createServer, request as httpRequest } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { describe, expect, test } from "vitest";
import { startRegistry } from "../../../test/kit/registry.ts";
import { testCertificate } from "../../../test/kit/registry-certificate.ts";
import { call, testClient } from "../../../test/kit/registry-client.ts";
import { mediaTypes } from "../../formats/oci/index.ts";
import { proxyFor } from "../http/index.ts";

const manifest = new TextEncoder().encode('{"schemaVersion":2}');

describe("a proxy", () => {
  test.each([
    ["http://a.example/", { HTTP_PROXY: "http://p:1" }, "http://p:1/"],
    ["https://a.example/", { HTTP_PROXY: "http://p:1" }, undefined],
    ["https://a.example/", { https_proxy: "p:1" }, "http://p:1/"],
    ["https://localhost:5000/", { HTTPS_PROXY: "p:1" }, undefined],
    ["https://a.example/", { HTTPS_PROXY: "p:1", NO_PROXY: "example" }, undefined],
    ["https://example/", { HTTPS_PROXY: "p:1", NO_PROXY: "example" }, undefined],
    ["https://example/", { HTTPS_PROXY: "p:1", NO_PROXY: ".example" }, "http://p:1/"],
    ["https://badexample/", { HTTPS_PROXY: "p:1", NO_PROXY: "example" }, "http://p:1/"],
    ["https://10.1.2.3/", { HTTPS_PROXY: "p:1", NO_PROXY: "10.0.0.0/8" }, undefined],
    ["https://11.1.2.3/", { HTTPS_PROXY: "p:1", NO_PROXY: "10.0.0.0/8, 11.1.2.4" }, "http://p:1/"],
    ["https://a.example:8443/", { HTTPS_PROXY: "p:1", NO_PROXY: "a.example:443" }, "http://p:1/"],
    ["https://a.example/", { HTTPS_PROXY: "p:1", NO_PROXY: "a.example:443" }, undefined],
    ["https://a.example/", { HTTPS_PROXY: "p:1", NO_PROXY: "*" }, undefined],
    ["https://[fd00::1]/", { HTTPS_PROXY: "p:1", NO_PROXY: "fd00::/8" }, undefined],
  ])("for %s with %j is %s", (url, environment, expected) => {
    expect(proxyFor(new URL(url), environment)?.href).toBe(expected);
  });

  test("that is no URL is a mistake", () => {
    const look = () => proxyFor(new URL("https://a.example/"), { HTTPS_PROXY: "socks4://p:1" });
    expect(look).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  });

  test.each(["http", "https"])(
    "passes %s on, with its own password and not the registry's",
    async (scheme) => {
      const seen: { line: string; proxy: string | undefined; authorization: string | undefined }[] =
        [];
      await using registry = await startRegistry(
        scheme === "https" ? { tls: testCertificate } : {},
      );
      registry.addManifest("a", "1", manifest, mediaTypes.ociIndex);
      const [host = "", port = ""] = registry.host.split(":");
      const proxy = createServer((request, response) => {
        seen.push({
          line: request.url ?? "",
          proxy: request.headers["proxy-authorization"],
          authorization: request.headers.authorization,
        });
        const path = new URL(request.url ?? "").pathname;
        request.pipe(
          httpRequest(
            { host, port, path, method: request.method, headers: request.headers },
            (answer) => {
              response.writeHead(answer.statusCode ?? 0, answer.headers);
              answer.pipe(response);
            },
          ),
        );
      });
      proxy.on("connect", (request, socket) => {
        seen.push({
          line: request.url ?? "",
          proxy: request.headers["proxy-authorization"],
          authorization: request.headers.authorization,
        });
        const upstream = connect(Number(port), host, () => {
          socket.write("HTTP/1.1 200 OK\r\n\r\n");
          upstream.pipe(socket).pipe(upstream);
        });
      });
      await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
      const at = `http://user:pw@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
      const name = "registry.example:5000";
      using client = testClient({
        environment: { HTTP_PROXY: at, HTTPS_PROXY: at },
        hosts: { [name]: { http: scheme === "http", insecure: true } },
      });
      for (const _ of [1, 2])
        expect(await client.pull(`${name}/a`).resolve("1", call)).toBeDefined();
      expect(seen[0]?.proxy).toBe(`Basic ${btoa("user:pw")}`);
      expect(seen[0]?.line).toContain(name);
      expect(seen).toHaveLength(scheme === "https" ? 1 : 2);
      client[Symbol.dispose]();
      proxy.closeAllConnections();
      proxy.close();
    },
  );
});
