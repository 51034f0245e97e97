// Images out and in, Kiln beside buildah and docker: `REGISTRY=127.0.0.1:PORT npx tsx bench/images.ts [push] [pull] [again] [index]`.
import { spawnSync } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Builder,
  BuilderFailed,
  buildersBelow,
  type Command,
  type Spent,
  spend,
} from "./neighbour.ts";
import { printTable, shown } from "./table.ts";

const {
  REGISTRY,
  BENCH_BASE = `${REGISTRY}/library/busybox:latest`,
  BENCH_FILES = "20000",
  BENCH_BYTES = "1000000000",
  BENCH_ROUNDS = "3",
  BENCH_WORK = tmpdir(),
} = process.env;
if (!REGISTRY || process.argv.includes("--help")) {
  process.stdout.write(`REGISTRY=127.0.0.1:PORT npx tsx bench/images.ts [push] [pull] [again] [index]

push: build and push a layer of many files, gzip and zstd; pull: get and unpack it; again: push what the registry has;
index: eight platforms of a small image. Run npm run build first; root. buildah and docker take part where they are there:
docker's whole build cache is cleared before each of its rows.
  BENCH_BASE     base image for all platforms; REGISTRY/library/busybox:latest
  BENCH_FILES    how many files; 20000
  BENCH_BYTES    their bytes together; 1000000000
  BENCH_ROUNDS   how often; 3
  BENCH_WORK     where stores and files lie; the directory for temporary files
  BUILDX_BUILDER builder of docker buildx that pushes; its own where absent
  BENCH_DAEMONS  ids of the processes that work for buildx, by commas; dockerd, containerd and buildkitd by name

Each line has seconds by the clock, processor seconds and peak memory, as bench/builds.ts has them; the table at the end has their
medians.
`);
  process.exit(REGISTRY ? 0 : 1);
}

/** What else a builder does with an image: gets and unpacks it; forgets it with all that came before. */
interface Whole extends Builder {
  pull(image: string): Command;
  forgetting(image: string): readonly Command[];
}

const place = mkdtempSync(join(BENCH_WORK, "kiln-images-"));
const others: Readonly<Record<string, (builder: Builder) => Omit<Whole, keyof Builder>>> = {
  kiln: ({ command }) => ({
    pull: (image) => [...command, "run", image, "true"],
    forgetting: () => [["rm", "-rf", join(place, "kiln")]],
  }),
  buildx: ({ command }) => ({
    pull: (image) => ["docker", "pull", "-q", image],
    forgetting: (image) => [
      ["docker", "rmi", "-f", image, `${image}-again`],
      [...command, "prune", "-a", "-f"],
    ],
  }),
  buildah: ({ command }) => ({
    pull: (image) => [...command, "pull", "-q", "--tls-verify=false", image],
    forgetting: () => [[...command, "rmi", "-a", "-f"]],
  }),
};
const here: readonly Whole[] = buildersBelow(place, Object.keys(others)).flatMap((builder) => {
  const more = others[builder.name]?.(builder);
  return more ? [{ ...builder, ...more }] : [];
});

const eight =
  "linux/amd64,linux/arm64,linux/arm/v7,linux/386,linux/ppc64le,linux/riscv64,linux/s390x,linux/arm/v6";
/** By row, then by builder. */
const times = new Map<string, Map<string, Spent[]>>();
const loadBefore = loadavg()[0] ?? 0;
const asked = process.argv.slice(2);
const wanted = (name: string) => asked.length === 0 || asked.includes(name);
try {
  const files = manyFiles();
  const small = write("small", { Dockerfile: "FROM scratch\nARG TARGETARCH\nCOPY Dockerfile /\n" });
  for (let round = 0; round < Number(BENCH_ROUNDS); round++) {
    for (const builder of round % 2 === 0 ? here : here.toReversed()) {
      for (const push of ["gzip", "zstd"] as const) {
        const image = `${REGISTRY}/bench/${builder.name}:${push}-${process.pid}-${round}`;
        // No registry has this layer yet.
        writeFileSync(join(files, "round"), `${image} ${process.pid}`);
        if (wanted("push") || wanted("pull") || wanted("again")) {
          all(builder.forgetting(image));
          time(`push ${push}`, builder, builder.build({ directory: files, image, push }));
        }
        const again = { directory: files, image: `${image}-again`, push };
        if (wanted("again")) time(`again ${push}`, builder, builder.build(again));
        if (wanted("pull")) {
          all(builder.forgetting(image));
          time(`pull ${push}`, builder, [builder.pull(image)]);
        }
      }
      const image = `${REGISTRY}/bench/${builder.name}:index-${process.pid}-${round}`;
      const index = { directory: small, image, push: "gzip", platforms: eight } as const;
      if (wanted("index")) time("index of 8", builder, builder.build(index));
    }
  }
  printTable(
    here.map(({ name }) => name),
    times,
  );
  process.stdout.write(`load ${loadBefore.toFixed(1)} to ${(loadavg()[0] ?? 0).toFixed(1)}\n`);
} finally {
  for (const builder of here) builder[Symbol.dispose]();
  rmSync(place, { recursive: true, force: true });
}

function write(name: string, texts: Readonly<Record<string, string | Uint8Array>>): string {
  const directory = join(place, name);
  for (const [file, text] of Object.entries(texts)) {
    mkdirSync(join(directory, file, ".."), { recursive: true });
    writeFileSync(join(directory, file), text);
  }
  return directory;
}

/** Half of each file is noise, half repeats, so that packing it is neither hopeless nor trivial. */
function manyFiles(): string {
  const directory = write("files", { Dockerfile: `FROM ${BENCH_BASE}\nCOPY . /opt\n` });
  const each = Math.floor(Number(BENCH_BYTES) / Number(BENCH_FILES));
  for (let file = 0; file < Number(BENCH_FILES); file++) {
    if (file % 200 === 0) mkdirSync(join(directory, `d${Math.floor(file / 200)}`));
    const data = randomFillSync(new Uint8Array(each));
    for (let at = 0; at < each; at += 64) data.fill(at >> 6, at, at + 32);
    writeFileSync(join(directory, `d${Math.floor(file / 200)}`, `${file}`), data);
  }
  return directory;
}

function all(commands: readonly Command[]): void {
  for (const [program = "", ...args] of commands) spawnSync(program, args, { stdio: "ignore" });
}

function time(what: string, builder: Builder, commands: readonly Command[]): void {
  try {
    const spent = spend(builder, commands);
    const row = times.get(what) ?? new Map<string, Spent[]>();
    times.set(what, row.set(builder.name, [...(row.get(builder.name) ?? []), spent]));
    process.stdout.write(`${what}: ${builder.name} ${shown(spent)}\n`);
  } catch (error) {
    if (!(error instanceof BuilderFailed)) throw error;
    process.stdout.write(`${what}: ${error.message}\n`);
  }
}
