// Registries and images that lie: blobs cut short, bent, too long or not what they are called, documents that never end.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../src/base/index.ts";
import { mediaTypes } from "../../src/formats/oci/index.ts";
import { describeWith } from "../kit/needs.ts";
import { needsOf, prefixWays, type Way, ways } from "../kit/ordinary-user.ts";
import { joined, type TarSpec, tarOf } from "../kit/tar.ts";
import {
  type HostileOutcome,
  type HostileWorld,
  layerOf,
  openHostileWorld,
} from "./hostile-world.ts";

const bug = /This is a bug in Kiln/;
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

interface Manifest {
  config: { digest: string; size: number; mediaType: string };
  layers: { digest: string; size: number; mediaType: string }[];
}

/** Whose way of unpacking layers is their own; the others unpack as one of these. */
const unpackers: ReadonlySet<string | undefined> = new Set([undefined, "userns-copy", "proot"]);
/** Root, and an ordinary user on every rung. */
const standings: readonly (Way | undefined)[] = [undefined, ...ways, ...prefixWays];

describe.each(standings.map((way) => ({ who: way?.name ?? "root", way })))("as $who", ({ way }) => {
  describeWith(needsOf(way), "hostile registries", () => {
    let world: HostileWorld;
    beforeAll(async () => {
      world = await openHostileWorld(way);
    });
    afterAll(() => world?.[Symbol.asyncDispose]());

    const build = (name: string) => world.build(`FROM ${name}\nRUN true\n`);
    const repositoryOf = (name: string) => name.slice(world.registry.host.length + 1, -2);

    function manifestOf(name: string): Manifest {
      const found = world.registry.store.manifest(repositoryOf(name), "1");
      return JSON.parse(new TextDecoder().decode(found?.data)) as Manifest;
    }

    /** The image of `name` with another manifest. */
    function changed(name: string, change: (manifest: Manifest) => unknown): string {
      const data = json(change(manifestOf(name)));
      world.registry.addManifest(repositoryOf(name), "1", data, mediaTypes.ociManifest);
      return name;
    }

    /** An image of its own, whose layers no other build has brought into the store. */
    let images = 0;
    const fresh = () => world.image([{ path: "big", data: bytes(300_000, ++images) }]);

    /** Every blob in the store is what its name says. */
    function expectHonestStore(): void {
      const blobs = join(world.directory, "root/content/blobs/sha256");
      const names = existsSync(blobs) ? readdirSync(blobs) : [];
      for (const name of names.filter((one) => /^[0-9a-f]{64}$/.test(one))) {
        const data = readFileSync(join(blobs, name));
        expect(createHash("sha256").update(data).digest("hex")).toBe(name);
      }
    }

    function expectRefused({ status, output, processor, memory }: HostileOutcome): void {
      expect(output).not.toMatch(bug);
      expect(status).toBe(1);
      expect(processor).toBeLessThan(20);
      expect(memory).toBeLessThan(400 << 20);
      expectHonestStore();
    }

    describe("a layer that comes", () => {
      // What is cut is asked for again and again, with pauses: minutes on all rungs, and the same on each.
      const cuts = [
        ["cut short", { kind: "truncate", after: 1000 }],
        ["shorter than its content-length, each time", { kind: "cut", after: 0 }],
      ] as const;
      it.each([
        ["with one bit changed", { kind: "corrupt", at: 777 }],
        ["with more behind it", { kind: "extra", bytes: 5000 }],
        ...(way === undefined ? cuts : []),
      ] as const)("%s is refused, and used once it comes right", async (_what, fault) => {
        const name = fresh();
        const layer = manifestOf(name).layers.at(-1)?.digest ?? "";
        world.registry.fail(
          { method: "GET", path: new RegExp(`blobs/${layer}`), times: 1000 },
          fault,
        );
        expectRefused(await build(name));
        world.registry.heal();
        const healed = await build(name);
        expect([healed.status, healed.status === 0 ? "" : healed.output]).toEqual([0, ""]);
        expectHonestStore();
      });

      it("as another blob is refused", async () => {
        const name = fresh();
        const { layers } = manifestOf(name);
        const other = layerOf([{ path: "evil", data: "evil" }]).blob;
        world.registry.store.putBlob(repositoryOf(name), layers.at(-1)?.digest ?? "", other);
        expectRefused(await build(name));
      });

      it.each([1, -1, 1e15, -1e6])(
        "in another size (by %d) than its manifest says is refused",
        async (by) => {
          const name = changed(fresh(), (manifest) => ({
            ...manifest,
            layers: manifest.layers.map((layer, i, all) =>
              i === all.length - 1 ? { ...layer, size: layer.size + by } : layer,
            ),
          }));
          expectRefused(await build(name));
        },
      );
    });

    describe("a document", () => {
      it("that is another than its digest says is refused", async () => {
        const name = fresh();
        const repository = repositoryOf(name);
        const digest = digestOf("something else");
        const found = world.registry.store.manifest(repository, "1");
        if (found) world.registry.store.addManifest(repository, digest, found);
        expectRefused(await build(`${name.slice(0, -2)}@${digest}`));
      });

      it("that the registry calls by another digest is refused", async () => {
        const name = fresh();
        const fault = { kind: "mislabel", digest: digestOf("something else") } as const;
        world.registry.fail({ path: /manifests/, times: 1000 }, fault);
        expectRefused(await build(name));
        world.registry.heal();
      });

      it.each([
        ["manifest", (text: Uint8Array) => text],
        ["configuration", undefined],
      ])("a %s of 100 MB is not read to its end", async (_what, whole) => {
        const name = fresh();
        const repository = repositoryOf(name);
        const padding = " ".repeat(100 << 20);
        if (whole) {
          const data = new TextEncoder().encode(JSON.stringify(manifestOf(name)) + padding);
          world.registry.addManifest(repository, "1", data, mediaTypes.ociManifest);
        } else {
          const config = world.registry.addBlob(repository, `{}${padding}`, mediaTypes.ociConfig);
          changed(name, (manifest) => ({ ...manifest, config }));
        }
        expectRefused(await build(name));
      });

      it.each([
        ["both manifests and layers", { manifests: [] }],
        [
          "ten thousand layers",
          {
            layers: Array(10_000).fill({
              mediaType: mediaTypes.ociLayerGzip,
              digest: digestOf("x"),
              size: 1,
            }),
          },
        ],
        [
          "a layer of less than nothing",
          { layers: [{ mediaType: mediaTypes.ociLayerGzip, digest: digestOf("x"), size: -1 }] },
        ],
        [
          "a digest that is a path",
          {
            layers: [
              { mediaType: mediaTypes.ociLayerGzip, digest: "sha256:../../../etc/passwd", size: 1 },
            ],
          },
        ],
      ])("with %s is refused", async (_what, more) => {
        expectRefused(await build(changed(fresh(), (manifest) => ({ ...manifest, ...more }))));
      });

      it("with lists a hundred thousand deep does no harm", async () => {
        const name = fresh();
        const deep = `{"x":${"[".repeat(100_000)}${"]".repeat(100_000)},`;
        const text = JSON.stringify(manifestOf(name)).replace("{", deep);
        const data = new TextEncoder().encode(text);
        world.registry.addManifest(repositoryOf(name), "1", data, mediaTypes.ociManifest);
        const { output, processor, memory } = await build(name);
        expect(output).not.toMatch(bug);
        expect(processor).toBeLessThan(20);
        expect(memory).toBeLessThan(400 << 20);
      });
    });

    describe("an index", () => {
      const platform = () => ({ os: "linux", architecture: world.architecture });
      const index = (manifests: readonly unknown[]) =>
        json({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
      const entry = (data: Uint8Array, mediaType: string) => ({
        mediaType,
        digest: digestOf(data),
        size: data.length,
      });

      it("of ten thousand entries is read, and only the image that is wanted fetched", async () => {
        const name = fresh();
        const repository = repositoryOf(name);
        const manifest = world.registry.store.manifest(repository, "1")?.data ?? new Uint8Array();
        const others = Array.from({ length: 9_999 }, (_, i) => ({
          ...entry(json(i), mediaTypes.ociManifest),
          platform: { os: "linux", architecture: `made-up-${i}` },
        }));
        const own = { ...entry(manifest, mediaTypes.ociManifest), platform: platform() };
        world.registry.addManifest(repository, "1", index([...others, own]), mediaTypes.ociIndex);
        const { status, output, processor, memory } = await build(name);
        expect([status, status === 0 ? "" : output]).toEqual([0, ""]);
        expect(processor).toBeLessThan(20);
        expect(memory).toBeLessThan(400 << 20);
      });

      it("of more entries than that is refused", async () => {
        const name = fresh();
        const one = { ...entry(json(1), mediaTypes.ociManifest), platform: platform() };
        const data = index(Array.from({ length: 10_001 }, () => one));
        world.registry.addManifest(repositoryOf(name), "1", data, mediaTypes.ociIndex);
        expectRefused(await build(name));
      });

      it("in an index in an index, a hundred deep, ends in an error", async () => {
        const name = fresh();
        const repository = repositoryOf(name);
        let data = world.registry.store.manifest(repository, "1")?.data ?? new Uint8Array();
        let type: string = mediaTypes.ociManifest;
        for (let depth = 0; depth < 100; depth++) {
          world.registry.addManifest(repository, undefined, data, type);
          data = index([{ ...entry(data, type), platform: platform() }]);
          type = mediaTypes.ociIndex;
        }
        world.registry.addManifest(repository, "1", data, type);
        expectRefused(await build(name));
      });
    });

    describe("a layer of", () => {
      const image = (blob: Uint8Array, tar: Uint8Array, mediaType: string) => {
        const base = layerOf([{ path: "tmp/", mode: 0o1777 }]);
        return world.rawImage([base, { blob, diffId: digestOf(tar), mediaType }]);
      };
      const copy = (name: string) => world.build(`FROM ${name}\nCOPY Dockerfile /d\n`);

      it.each(unpackers.has(way?.name) ? ["gzip", "zstd"] : ["zstd"])(
        "a gigabyte of zeros in a little %s takes no memory",
        async (kind) => {
          const zeros = new Uint8Array(64 << 20);
          const file = tarOf([{ path: "big", data: zeros }]).subarray(0, -1024);
          const tar = joined([...Array.from({ length: 16 }, () => file), new Uint8Array(1024)]);
          const blob =
            kind === "gzip"
              ? gzipSync(tar, { level: 9 })
              : execFileSync("zstd", ["-q", "-c"], { input: tar, maxBuffer: 64 << 20 });
          expect(blob.length).toBeLessThan(4 << 20);
          const type = kind === "gzip" ? mediaTypes.ociLayerGzip : mediaTypes.ociLayerZstd;
          const { status, output, memory, processor } = await copy(image(blob, tar, type));
          expect([status, status === 0 ? "" : output]).toEqual([0, ""]);
          expect(memory).toBeLessThan(500 << 20);
          expect(processor).toBeLessThan(60);
        },
      );

      if (unpackers.has(way?.name))
        it("whiteouts by the ten thousand, each deeper than the last, is taken in bounded time", async () => {
          const entries: TarSpec[] = [];
          const each = way === undefined ? 500 : 50;
          for (let depth = 0; depth < 200; depth++)
            for (let i = 0; i < each; i++) entries.push({ path: `${"d/".repeat(depth)}.wh.f${i}` });
          const tar = tarOf(entries);
          const { output, memory, processor } = await copy(
            image(gzipSync(tar), tar, mediaTypes.ociLayerGzip),
          );
          expect(output).not.toMatch(bug);
          expect(memory).toBeLessThan(500 << 20);
          expect(processor).toBeLessThan(60);
        });

      it("gzip that ends in the middle, or goes on with something else, is refused", async () => {
        const tar = tarOf([{ path: "f", data: bytes(100_000, 7) }]);
        const whole = gzipSync(tar);
        const bent = Uint8Array.from(whole);
        bent[5000] = (bent[5000] ?? 0) ^ 0xff;
        for (const blob of [whole.subarray(0, -9), joined([whole, bytes(100, 1)]), bent])
          expectRefused(await copy(image(blob, tar, mediaTypes.ociLayerGzip)));
      });
    });
  });
});

/** The same bytes for the same seed, and no two runs of them alike. */
function bytes(length: number, seed: number): Uint8Array {
  const out = new Uint8Array(length);
  for (let at = 0; at < length; at += 32)
    out.set(
      createHash("sha256")
        .update(`${seed} ${at}`)
        .digest()
        .subarray(0, length - at),
      at,
    );
  return out;
}
