// Packing and unpacking a layer of 20,000 files and 400 MB, beside GNU tar and gzip: `npx tsx bench/layers.ts [directory]`.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { uncancelled as call, createDigester } from "../src/base/index.ts";
import { decompress, gzip } from "../src/formats/archive/index.ts";
import { openContentStore } from "../src/storage/content/index.ts";
import { openOverlaySnapshotter, withMounted } from "../src/storage/snapshot/index.ts";

const dir = mkdtempSync(join(process.argv[2] ?? tmpdir(), "kiln-bench-"));
const rounds = 3;

/** Text-like contents: words of a small vocabulary with some noise, so that they compress about as programs do. */
function makeTree(root: string): void {
  const words = Array.from({ length: 4000 }, () => randomBytes(6).toString("base64"));
  let seed = 1;
  const next = (limit: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % limit;
  };
  for (let at = 0; at < 20_000; at++) {
    const folder = `${root}/d${at % 97}/e${at % 13}`;
    mkdirSync(folder, { recursive: true });
    const size = at % 100 === 0 ? 1_000_000 : next(20_000);
    const parts: string[] = [];
    for (let length = 0; length < size; length += 9) parts.push(words[next(4000)] ?? "");
    writeFileSync(`${folder}/f${at}`, parts.join(" ").slice(0, size));
  }
}

async function timed(name: string, work: () => unknown): Promise<void> {
  let best = Number.POSITIVE_INFINITY;
  let cpu = 0;
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    const start = performance.now();
    await work();
    const wall = performance.now() - start;
    const used = process.cpuUsage(before);
    if (wall < best) [best, cpu] = [wall, (used.user + used.system) / 1000];
  }
  console.log(
    `${name.padEnd(52)} ${(best / 1000).toFixed(2)} s wall${cpu > best / 20 ? `, ${(cpu / 1000).toFixed(2)} s cpu` : ""}`,
  );
}

const shell = (command: string) =>
  execFileSync("sh", ["-c", command], { cwd: dir, stdio: ["ignore", "ignore", "inherit"] });
const read = (name: string) => createReadStream(join(dir, name), { highWaterMark: 1 << 20 });

try {
  const snapshotter = await openOverlaySnapshotter({ dir: join(dir, "store") });
  const active = await snapshotter.active(undefined, call);
  let tree = "";
  await withMounted(await active.mounts(call), call, (at) => makeTree(at));
  const snapshot = await active.commit(call);
  await withMounted(await snapshot.mounts(call), call, (at) => {
    tree = at;
  });
  const [layer] = snapshot.layers;
  if (layer === undefined) throw new Error("no layer");
  console.log(
    execFileSync("du", ["-sh", tree], { encoding: "utf8" }).split("\t")[0],
    "in 20000 files; best of",
    rounds,
  );

  async function* tar(sink?: { update(chunk: Uint8Array): unknown }): AsyncIterable<Uint8Array> {
    if (layer === undefined) return;
    for await (const chunk of snapshotter.tar(layer, {}, call)) {
      sink?.update(chunk);
      yield chunk;
    }
  }
  await timed("kiln: tar + sha256", async () => {
    for await (const _ of tar(createDigester()));
  });
  await timed("GNU: tar | sha256sum", () => shell(`tar --sort=name -C ${tree} -c . | sha256sum`));
  for (const level of [1, 6]) {
    await timed(`kiln: tar + gzip -${level} + both digests`, async () => {
      const digester = createDigester();
      async function* hashed() {
        for await (const chunk of gzip(tar(createDigester()), { level })) {
          digester.update(chunk);
          yield chunk;
        }
      }
      await pipeline(hashed(), createWriteStream(join(dir, `kiln-${level}.tgz`)));
      digester.digest();
    });
    console.log(`  ${statSync(join(dir, `kiln-${level}.tgz`)).size} bytes`);
    await timed(`GNU: tar | gzip -${level} | tee | sha256sum`, () =>
      shell(`tar --sort=name -C ${tree} -c . | gzip -${level} | tee gnu-${level}.tgz | sha256sum`),
    );
    console.log(`  ${statSync(join(dir, `gnu-${level}.tgz`)).size} bytes`);
  }

  await timed("kiln: gunzip only", async () => {
    for await (const _ of decompress(read("kiln-6.tgz"), "it"));
  });
  await timed("GNU: gzip -dc only", () => shell("gzip -dc kiln-6.tgz > /dev/null"));
  const digester = createDigester();
  for await (const chunk of tar()) digester.update(chunk);
  const diffId = digester.digest();
  const content = await openContentStore(join(dir, "content"));
  const blob = await content.ingest("", read("kiln-6.tgz"), call);
  let count = 0;
  await timed("kiln: unpack gzip into the store, verified", async () => {
    const fresh = await openOverlaySnapshotter({ dir: join(dir, `fresh-${count++}`) });
    const image = await fresh.image(
      [{ descriptor: blob, diffId, fetch: (inner) => content.read(blob, inner) }],
      call,
    );
    await image.mounts(call);
  });
  await timed("GNU: tar xzf", () =>
    shell(`mkdir gnu-${count++} && tar xzf kiln-6.tgz -C gnu-${count - 1}`),
  );
  await timed("kiln: content store, take in the blob", async () => {
    await content.delete(blob.digest);
    await content.ingest("", read("kiln-6.tgz"), call);
  });
  const small = readFileSync(join(dir, "kiln-6.tgz")).subarray(0, 2000);
  await timed("kiln: content store, 100 small blobs one by one", async () => {
    for (let at = 0; at < 100; at++) {
      const own = Uint8Array.from(small);
      own.set(randomBytes(16));
      await content.ingest(
        "",
        (async function* () {
          yield own;
        })(),
        call,
      );
    }
  });
} finally {
  if (existsSync(dir)) rmSync(dir, { recursive: true });
}
