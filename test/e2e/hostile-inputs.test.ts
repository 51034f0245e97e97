// Contexts, names, archives and registries made to harm: refused or harmless, within bounds of time and memory.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../src/base/index.ts";
import { mediaTypes } from "../../src/formats/oci/index.ts";
import { describeWith } from "../kit/needs.ts";
import { needsOf, prefixWays, ways } from "../kit/ordinary-user.ts";
import { joined, type TarSpec, tarOf } from "../kit/tar.ts";
import { type HostileWorld, layerOf, openHostileWorld } from "./hostile-world.ts";

const climb = "../../../../../../../../../../../..";
const bug = /This is a bug in Kiln/;

/** Root, and an ordinary user on every rung. */
const standings = [undefined, ...ways, ...prefixWays];

describe.each(standings.map((way) => ({ who: way?.name ?? "root", way })))("as $who", ({ way }) => {
  describeWith(needsOf(way), "hostile inputs", () => {
    let world: HostileWorld;
    let before: string;
    beforeAll(async () => {
      world = await openHostileWorld(way);
      before = world.fingerprint();
    });
    afterAll(() => world?.[Symbol.asyncDispose]());
    afterEach(() => expect(world.fingerprint()).toBe(before));

    describe("contexts", () => {
      it("an ignore list that is a link is not followed out of the context (CVE-2022-4122)", async () => {
        const context = world.context({
          Dockerfile: "FROM scratch\nCOPY . /\n",
          file: "",
          [world.secret]: "",
        });
        symlinkSync(join(world.canary, "file"), join(context, ".dockerignore"));
        const dest = join(world.directory, "ignored");
        const { status, output } = await world.kiln(["build", "-o", dest, context]);
        expect(status).toBe(0);
        expect(output).not.toContain(world.secret);
        expect(readdirSync(dest)).toContain(world.secret);
      });

      it("a Dockerfile that is a link out of the context is not read", async () => {
        const context = world.context({ "other/file": "" });
        symlinkSync(join(world.canary, "file"), join(context, "Dockerfile"));
        const { status, output } = await world.kiln(["build", context]);
        expect(status).toBe(1);
        expect(output).not.toContain(world.secret);
      });

      it.each(["out/file", "climbing/file", "tofile", "out", "sub/../out/file", "*/file", "to*"])(
        "links out of it are not followed by COPY %s (CVE-2026-33748)",
        async (source) => {
          const context = world.context({ Dockerfile: `FROM scratch\nCOPY ${source} /got/\n` });
          symlinkSync(world.canary, join(context, "out"));
          symlinkSync(`${climb}${world.canary}`, join(context, "climbing"));
          symlinkSync(join(world.canary, "file"), join(context, "tofile"));
          const dest = join(world.directory, `copied-${source.replaceAll(/\W/g, "_")}`);
          const { output } = await world.kiln(["build", "-o", dest, context]);
          expect(output).not.toMatch(bug);
          const got = join(dest, "got");
          for (const name of existsSync(got) ? readdirSync(got) : [])
            expect(["out", "climbing", "tofile"]).toContain(name);
        },
      );

      it("a link copied as part of a directory stays a link", async () => {
        const context = world.context({ Dockerfile: "FROM scratch\nCOPY . /\n" });
        symlinkSync(world.canary, join(context, "out"));
        const tar = join(world.directory, "context.tar");
        expect((await world.kiln(["build", "-o", `type=tar,dest=${tar}`, context])).status).toBe(0);
        expect(readFileSync(tar, "latin1")).not.toContain(world.secret);
      });

      const archives: Readonly<Record<string, readonly TarSpec[]>> = {
        climbing: [{ path: `${climb}/tmp/kiln-escaped`, data: "evil" }],
        absolute: [{ path: "/tmp/kiln-escaped", data: "evil" }],
        "through a link": [
          { path: "l", linkname: "/tmp" },
          { path: "l/kiln-escaped", data: "evil" },
        ],
        "a hard link out": [{ path: "h", type: "hardlink", linkname: `${climb}/etc/passwd` }],
        "a device": [{ path: "d", type: "block-device", devMajor: 7, devMinor: 0 }],
      };
      it.each(Object.keys(archives))(
        "an archive that is %s, as context and in ADD",
        async (which) => {
          const archive = tarOf([
            { path: "Dockerfile", data: "FROM scratch\nCOPY Dockerfile /\n" },
            ...(archives[which] ?? []),
          ]);
          const context = world.context({ Dockerfile: "FROM scratch\nADD archive.tar /\n" });
          writeFileSync(join(context, "archive.tar"), archive);
          const dest = join(world.directory, `added ${which}`);
          const added = await world.kiln(["build", "-o", dest, context]);
          const sent = await serving(
            (_, response) => response.end(archive),
            (url) => world.kiln(["build", `${url}/context.tar`]),
          );
          for (const { output } of [added, sent]) expect(output).not.toMatch(bug);
          expect(existsSync("/tmp/kiln-escaped")).toBe(false);
        },
      );
    });

    describe("names", () => {
      it.each([
        "../../etc/passwd",
        "a/../../b",
        `127.0.0.1:1/${climb}/x`,
        "a:../x",
        "a@sha256:../../../etc/passwd",
        `a@sha256:${"0".repeat(63)}/`,
        `a@md5:${"0".repeat(32)}`,
        "a\u0000b",
        "a%2e%2e/b",
        "-oProxyCommand=x",
        "a b",
      ])("%j is no image", async (name) => {
        const from = await world.build(`FROM ${name}\nRUN true\n`);
        expect(from.status).toBe(1);
        expect(from.output).not.toMatch(bug);
        if (name.includes("\0")) return;
        const tagged = await world.build("FROM scratch\n", {}, `--tag=${name}`);
        expect(tagged.status).toBe(1);
        expect(tagged.output).not.toMatch(bug);
      });

      it.each([`sha256:${climb}/etc/passwd`, "sha256:..", "md5:x", "sha256:\u0000"])(
        "%j is no digest in an index on disk",
        async (digest) => {
          const layout = join(world.directory, "layout");
          mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
          writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
          const manifests = [{ mediaType: mediaTypes.ociManifest, digest, size: 10 }];
          writeFileSync(
            join(layout, "index.json"),
            JSON.stringify({ schemaVersion: 2, manifests }),
          );
          const { status, output } = await world.build(
            "FROM evil\nRUN true\n",
            {},
            `--build-context=evil=oci-layout://${layout}`,
          );
          expect(status).toBe(1);
          expect(output).not.toMatch(bug);
        },
      );
    });

    describe("registries", () => {
      it("addresses that a manifest names for layers get no credentials, and ordinary ones are not asked (CVE-2020-15157)", async () => {
        const layer = layerOf([{ path: "file", data: "foreign" }]);
        const asked = new Map<string, (string | undefined)[]>();
        for (const mediaType of [mediaTypes.ociForeignLayerGzip, mediaTypes.ociLayerGzip]) {
          const credentials: (string | undefined)[] = [];
          asked.set(mediaType, credentials);
          await serving(
            (request, response) => {
              credentials.push(request.headers.authorization);
              response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
            },
            async (url) => {
              const name = world.rawImage([{ ...layer, mediaType, urls: [url], absent: true }]);
              const { status, output } = await world.build(
                `FROM ${name}\nCOPY Dockerfile /\nRUN x\n`,
              );
              expect(status).toBe(1);
              expect(output).not.toMatch(bug);
            },
          );
        }
        expect(asked.get(mediaTypes.ociLayerGzip)).toEqual([]);
        const foreign = asked.get(mediaTypes.ociForeignLayerGzip) ?? [];
        expect(foreign.length).toBeGreaterThan(0);
        expect(foreign.every((one) => one === undefined)).toBe(true);
      });

      it.each([
        ["a manifest sent as an index", mediaTypes.ociIndex, {}],
        ["both at once", mediaTypes.ociManifest, { manifests: [] }],
        [
          "another kind inside than outside",
          mediaTypes.ociManifest,
          { mediaType: mediaTypes.ociIndex },
        ],
      ])("%s is refused (CVE-2021-41190)", async (_what, mediaType, more) => {
        const name = world.image();
        const repository = name.slice(world.registry.host.length + 1, -2);
        const manifest = world.registry.store.manifest(repository, "1");
        const document = JSON.parse(new TextDecoder().decode(manifest?.data));
        const data = new TextEncoder().encode(JSON.stringify({ ...document, ...more }));
        world.registry.addManifest(repository, "1", data, mediaType);
        const { status, output } = await world.build(`FROM ${name}\nRUN true\n`);
        expect(status).toBe(1);
        expect(output).not.toMatch(bug);
      });

      it("a layer that unpacks to something else than promised is not used", async () => {
        const layer = layerOf([{ path: "bin/", mode: 0o755 }]);
        const name = world.rawImage([{ ...layer, diffId: digestOf("other") }]);
        const { status, output } = await world.build(`FROM ${name}\nRUN true\n`);
        expect(status).toBe(1);
        expect(output).toContain("BLOB_CORRUPT");
      });
    });

    describe("bombs", () => {
      const build = (blob: Uint8Array) =>
        world.build(`FROM ${world.rawImage([{ blob, diffId: digestOf("bomb") }])}\nRUN true\n`);
      const zeros = new Uint8Array(64 << 20);

      it("a file that is larger than its layer's bytes", async () => {
        const header = tarOf([{ path: "big", data: zeros }]).subarray(0, 512);
        const { status, memory, seconds } = await build(gzipSync(header));
        expect(status).toBe(1);
        expect(memory).toBeLessThan(400 << 20);
        expect(seconds).toBeLessThan(20);
      });

      it("zeros by the hundred megabytes take no memory", async () => {
        const file = tarOf([{ path: "big", data: zeros }]).subarray(0, -1024);
        const tar = joined([file, file, file, file]);
        const { output, memory } = await build(gzipSync(tar));
        expect(output).not.toMatch(bug);
        expect(memory).toBeLessThan(400 << 20);
      });

      it("gzip in gzip in gzip", async () => {
        const { status, output, memory } = await build(gzipSync(gzipSync(gzipSync(zeros))));
        expect(status).toBe(1);
        expect(output).not.toMatch(bug);
        expect(memory).toBeLessThan(400 << 20);
      });

      it("twenty thousand empty entries", async () => {
        const [one, end] = [tarOf([{ path: "a/b" }]).subarray(0, 512), new Uint8Array(1024)];
        const tar = joined([...Array.from({ length: 20_000 }, () => one), end]);
        const { output, memory, seconds } = await build(gzipSync(tar));
        expect(output).not.toMatch(bug);
        expect(memory).toBeLessThan(400 << 20);
        expect(seconds).toBeLessThan(120);
      });

      it("directories deeper than a path can be", async () => {
        const deep = tarOf([{ path: `${"d/".repeat(50_000)}f`, data: "x" }]);
        const { status, output } = await build(gzipSync(deep));
        expect(status).toBe(1);
        expect(output).not.toMatch(bug);
      });
    });

    describe("credentials", () => {
      it("in the address of a context appear nowhere (CVE-2023-26054)", async () => {
        const secret = "c4n4ry";
        const metadata = join(world.directory, "metadata.json");
        const dest = join(world.directory, "oci.tar");
        const context = tarOf([{ path: "Dockerfile", data: "FROM scratch\nCOPY Dockerfile /\n" }]);
        let authorization: string | undefined;
        await serving(
          (request, response) => {
            authorization = request.headers.authorization;
            response.end(context);
          },
          async (url) => {
            const address = `${url.replace("//", `//me:${secret}@`)}/context.tar`;
            for (const progress of ["plain", "rawjson"]) {
              const { status, output } = await world.kiln([
                "build",
                "--no-cache",
                `--progress=${progress}`,
                `--metadata-file=${metadata}`,
                "-o",
                `type=oci,dest=${dest}`,
                address,
              ]);
              expect(status).toBe(0);
              expect(output).not.toContain(secret);
            }
          },
        );
        expect(authorization).toBe(`Basic ${btoa(`me:${secret}`)}`);
        expect(readFileSync(metadata, "utf8")).not.toContain(secret);
        expect(readFileSync(dest, "latin1")).not.toContain(secret);
      });

      it("in the options of a cache are not repeated in errors (CVE-2025-0495)", async () => {
        const secret = "c4n4ry";
        for (const flag of ["--cache-to", "--cache-from"]) {
          const { output } = await world.build(
            "FROM scratch\n",
            {},
            `${flag}=type=s3,region=x,bucket=x,access_key_id=A,secret_access_key=${secret}`,
          );
          expect(output).not.toContain(secret);
        }
      });
    });

    it("what Kiln keeps is for its user's eyes only", () => {
      const root = join(world.directory, "root");
      chmodSync(world.directory, 0o755);
      for (const name of readdirSync(root, { withFileTypes: true })) {
        if (!name.isDirectory()) continue;
        const open = modeOf(join(root, name.name)) & 0o077;
        const above = modeOf(root) & 0o077;
        expect([name.name, Math.min(open, above)]).toEqual([name.name, 0]);
      }
    });
  });
});

function modeOf(path: string): number {
  return statSync(path).mode;
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Lends the address of a server on this machine. */
async function serving<T>(answer: Answer, use: (url: string) => Promise<T>): Promise<T> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
  }
}
