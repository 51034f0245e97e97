// Steps behind the proxy: what they reach and what they do not, what is told of it, and that nothing of it is left in the result.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import {
  createServer as createPlainServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { createServer } from "node:https";
import { type AddressInfo, isIPv4, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestHex, digestOf } from "../../src/base/index.ts";
import { ProxyAuthority } from "../../src/engine/proxy/authority.ts";
import { describeWith } from "../kit/needs.ts";
import { needsOf, prefixWays, type Way, ways } from "../kit/ordinary-user.ts";
import type { TarSpec } from "../kit/tar.ts";
import { type HostileOutcome, type HostileWorld, openHostileWorld } from "./hostile-world.ts";

/** Root; a user whose layers are overlays, one whose layers are copies; all and emulated steps where they are asked for. */
const everywhere = process.env["KILN_TEST_RUNGS"] === "all";
const few = ["userns", "userns-copy"];
const standings: readonly (Way | undefined)[] = [
  undefined,
  ...ways.filter(({ isolation }) => isolation !== "proot"),
  ...prefixWays,
].filter((way) => way === undefined || everywhere || few.includes(way.name));

/** Of an authority that nobody asks. */
const bundle = new ProxyAuthority(() => new Date()).pem;
const bundlePath = "etc/ssl/certs/ca-certificates.crt";

/** A program of this machine with all that it loads; none where it is not installed, or for another processor. */
function programLayer(name: string, world: HostileWorld): readonly TarSpec[] | undefined {
  const path = `/usr/bin/${name}`;
  const machine = process.arch === "arm64" ? "arm64" : "amd64";
  if (!existsSync(path) || world.architecture !== machine) return undefined;
  const libraries = execFileSync("ldd", [path], { encoding: "utf8" });
  const files = [path, ...(libraries.match(/\/\S+/g) ?? [])];
  return [...new Set(files)].map((file) => ({
    path: file.slice(1),
    data: readFileSync(file),
    mode: 0o755,
  }));
}

/** The machine as others see it. */
const address = Object.values(networkInterfaces())
  .flatMap((one) => one ?? [])
  .find((one) => !one.internal && isIPv4(one.address))?.address;

interface Servers extends AsyncDisposable {
  readonly plain: string;
  readonly secure: string;
  /** Of both: method, path and who asked. */
  readonly asked: string[];
  readonly authority: string;
}

async function startServers(): Promise<Servers> {
  const asked: string[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? "nobody"}`);
    if (request.url === "/moved") response.writeHead(302, { location: "/here" });
    response.end(`this is ${request.url}\n`);
  };
  const authority = new ProxyAuthority(() => new Date());
  const contextOf = authority.contextFor(address ?? "");
  const secure = createServer({ SNICallback: (_, done) => done(null, contextOf) }, answer);
  (secure as unknown as { _sharedCreds: unknown })._sharedCreds = contextOf;
  const plain = createPlainServer(answer);
  const ports: number[] = [];
  for (const server of [plain, secure] as readonly Server[]) {
    await new Promise<void>((done) => server.listen(0, "0.0.0.0", done));
    ports.push((server.address() as AddressInfo).port);
  }
  return {
    plain: `http://${address}:${ports[0]}`,
    secure: `https://${address}:${ports[1]}`,
    asked,
    authority: authority.pem,
    async [Symbol.asyncDispose]() {
      for (const server of [plain, secure]) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
    },
  };
}

describe.each(standings.map((way) => ({ who: way?.name ?? "root", way })))("as $who", ({ way }) => {
  describeWith([...needsOf(way)], "steps behind the proxy", () => {
    let world: HostileWorld;
    let servers: Servers;
    let image: string;
    let hasCurl = false;
    let files: Readonly<Record<string, string>>;
    let environment: Readonly<Record<string, string>>;
    beforeAll(async () => {
      world = await openHostileWorld(way);
      servers = await startServers();
      const curl = programLayer("curl", world);
      hasCurl = curl !== undefined;
      image = world.image(
        [{ path: bundlePath, data: new TextEncoder().encode(bundle) }],
        curl ?? [],
      );
      const trusted = join(world.directory, "upstream.pem");
      writeFileSync(trusted, servers.authority, { mode: 0o644 });
      environment = { NODE_EXTRA_CA_CERTS: trusted };
    });
    afterAll(async () => {
      await servers?.[Symbol.asyncDispose]();
      await world?.[Symbol.asyncDispose]();
    });

    /** With rules; the result is in `out` of the world's directory. */
    const build = (dockerfile: string, ...args: string[]): Promise<HostileOutcome> => {
      const { plain, secure } = servers;
      const rule = (action: string, identifier: string, updates?: object) => ({
        action,
        selector: { identifier, matchType: "WILDCARD" },
        ...(updates ? { updates } : {}),
      });
      const pinned = `sha256:${digestHex(digestOf("this is /pinned\n"))}`;
      const rules = [
        rule("DENY", `${plain}/denied*`),
        rule("CONVERT", `${plain}/old/*`, { identifier: `${secure}/new/\${1}` }),
        rule("CONVERT", `${plain}/pinned`, { attrs: { "http.checksum": pinned } }),
        rule("CONVERT", `${plain}/bent`, { attrs: { "http.checksum": pinned } }),
      ];
      files = { "rules.json": JSON.stringify({ version: 1, rules }) };
      const context = world.context({ Dockerfile: dockerfile, ...files });
      const platform =
        way?.emulation === undefined ? [] : ["--platform", `linux/${world.architecture}`];
      return world.kiln(
        [
          ...["build", "--proxy-network", "--progress=plain", ...platform],
          ...["--policy", join(context, "rules.json"), ...args, context],
        ],
        environment,
      );
    };
    const steps = () =>
      `FROM ${image}
RUN wget -qO /plain ${servers.plain}/file && wget -qO- ${servers.plain}/moved
RUN wget -qO- ${servers.plain}/denied/x; wget -qO- ${servers.plain}/pinned; wget -qO- --header "Authorization: mine" ${servers.plain}/old/x
RUN wget -qO- http://127.0.0.1:${new URL(servers.plain).port}/loop; wget -qO- http://169.254.169.254/; wget -qO- http://[::ffff:169.254.169.254]/
RUN env -u http_proxy wget -qO- ${servers.plain}/direct; nc -w 2 ${address} ${new URL(servers.plain).port} </dev/null; ls /sys/class/net
RUN --network=none wget -qO- ${servers.plain}/none
RUN tail -n 2 /dev/.kiln-ca.crt | head -n 1; grep -c BEGIN /${bundlePath}; echo changed >>/changed
`.replace(/^RUN (.*)$/gm, (line) => (line.includes("&&") ? line : `${line}; true`));

    it("reach what they may, and nothing else; nothing of it is in the result; the second time all is cached", async () => {
      const out = join(world.directory, "out");
      const wanted = ["--attest", "type=provenance,mode=max", "-o", `type=local,dest=${out}`];
      const { status, output } = await build(steps(), ...wanted);
      expect(output).toContain("proxy network requests:");
      expect(status).toBe(0);
      const told = (line: string) => expect(output).toMatch(new RegExp(`- ${line}$`, "m"));
      told(`GET ${servers.plain}/file -> 200`);
      told(`GET ${servers.plain}/moved -> 302`);
      told(`GET ${servers.plain}/denied/x -> 403`);
      told(`GET ${servers.plain}/pinned -> 200`);
      told(`GET ${servers.secure}/new/x -> 200`);
      told("GET http://169.254.169.254/ -> 502");
      expect(output).toContain("denied by policy");
      expect(output).toContain("this is /new/x");
      expect(output).toContain("is an address of the machine itself");
      expect(readFileSync(join(out, "plain"), "utf8")).toBe("this is /file\n");
      const asked = servers.asked.map((line) => line.split(" ")[1]);
      for (const path of ["/denied/x", "/loop", "/direct", "/none"])
        expect(asked).not.toContain(path);
      expect(servers.asked).toContain("GET /new/x nobody");
      // The only network is loopback, and the bundle has one more than it has.
      expect(output).toMatch(/^#\d+ [\d.]+ lo$/m);
      expect(output).not.toMatch(/^#\d+ [\d.]+ eth0$/m);
      expect(output).toMatch(/^#\d+ [\d.]+ 2$/m);
      expect(readFileSync(join(out, bundlePath), "latin1")).toBe(bundle);
      expect(readdirSync(out)).not.toContain("dev");
      const materials = () =>
        JSON.parse(readFileSync(join(out, "provenance.json"), "utf8")).predicate.buildDefinition
          .resolvedDependencies as readonly { uri: string; digest: { sha256: string } }[];
      const sum = (text: string) => digestHex(digestOf(text));
      const found = new Map(materials().map(({ uri, digest }) => [uri, digest.sha256]));
      expect(found.get(`${servers.plain}/file`)).toBe(sum("this is /file\n"));
      expect(found.get(`${servers.plain}/moved`)).toBe(sum("this is /here\n"));
      expect(found.get(`${servers.secure}/new/x`)).toBe(sum("this is /new/x\n"));
      const before = servers.asked.length;
      const again = await build(steps(), ...wanted);
      expect(again.output).not.toContain("proxy network requests:");
      expect(servers.asked.length).toBe(before);
      expect(
        materials()
          .map(({ uri }) => uri)
          .sort(),
      ).toEqual([...found.keys()].sort());
    });

    it("fail when what they get is not what a policy demands, even if they do not mind", async () => {
      const { status, output } = await build(
        `FROM ${image}\nRUN wget -qO- ${servers.plain}/bent; true\n`,
      );
      expect(status).toBe(1);
      expect(output).toContain("the source policy demands sha256:");
      expect(output).not.toContain("this is /bent");
    });

    it("trust the proxy by the system's bundle and by name, also when the bundle has been replaced", async () => {
      if (!hasCurl) return console.warn("skipped: no curl that runs in the step");
      const unnamed = "env -u SSL_CERT_FILE -u CURL_CA_BUNDLE /usr/bin/curl -sS";
      const out = join(world.directory, "trusting");
      const replaced =
        way?.name === "userns-copy" ? "true" : `echo mine >/b && mv /b /${bundlePath}`;
      const { status, output } = await build(
        `FROM ${image}\nRUN /usr/bin/curl -sS ${servers.secure}/named && ${unnamed} ${servers.secure}/unnamed && ${replaced} && /usr/bin/curl -sS ${servers.secure}/later\n`,
        ...["-o", `type=local,dest=${out}`],
      );
      expect(output).toContain("this is /named");
      expect(output).toContain("this is /unnamed");
      expect(output).toContain("this is /later");
      expect(status).toBe(0);
      expect(readFileSync(join(out, bundlePath), "latin1")).toBe(
        replaced === "true" ? bundle : "mine\n",
      );
    });
  });
});
