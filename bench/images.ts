// Images out and in, Kiln beside buildah and docker: `REGISTRY=127.0.0.1:PORT npx tsx bench/images.ts [push] [pull] [again] [index]`.
import { spawnSync } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";

const {
  REGISTRY,
  BENCH_BASE = `${REGISTRY}/library/busybox:latest`,
  BENCH_FILES = "20000",
  BENCH_BYTES = "1000000000",
  BENCH_ROUNDS = "3",
  BENCH_WORK = tmpdir(),
  BENCH_DAEMONS = "",
  BUILDER,
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
  BUILDER        builder of docker buildx that pushes; its own where absent
  BENCH_DAEMONS  process ids, separated by commas, whose processor time counts too: of dockerd and containerd

Each line has seconds by the clock and of processor time. The last lines are the least of each row, beside the least of the others
in the same run, and the load at both ends.
`);
  process.exit(REGISTRY ? 0 : 1);
}

interface Builder {
  readonly name: string;
  /** Builds the directory and pushes it as `image`. */
  build(directory: string, image: string, compression: string, platforms?: string): string[][];
  /** Gets the image and unpacks it. */
  pull(image: string): string[][];
  /** As if nothing had ever been here, the image least of all. */
  forget(image: string): string[][];
}

const place = mkdtempSync(join(BENCH_WORK, "kiln-images-"));
const root = join(place, "root");
const kiln = resolve(import.meta.dirname, "../bin/kiln");
const stores = ["--root", join(place, "storage"), "--runroot", join(place, "run")];
const buildah = ["buildah", ...stores];
const output = (image: string, compression: string) =>
  `type=image,name=${image},push=true,compression=${compression},oci-mediatypes=true`;
const platform = (list?: string) => (list === undefined ? [] : ["--platform", list]);
const builders: readonly Builder[] = [
  {
    name: "kiln",
    build: (directory, image, compression, list) => [
      [
        kiln,
        "--root",
        root,
        "build",
        ...platform(list),
        "-o",
        output(image, compression),
        directory,
      ],
    ],
    pull: (image) => [[kiln, "--root", root, "run", image, "true"]],
    forget: () => [["rm", "-rf", root]],
  },
  {
    name: "buildah",
    build: (directory, image, compression, list) =>
      list === undefined
        ? [
            [...buildah, "build", "-q", "--layers", "--tls-verify=false", "-t", image, directory],
            [
              ...buildah,
              "push",
              "-q",
              "--tls-verify=false",
              "--compression-format",
              compression,
              image,
            ],
          ]
        : [
            [
              ...buildah,
              "build",
              "-q",
              "--layers",
              "--tls-verify=false",
              "--platform",
              list,
              "--manifest",
              image,
              directory,
            ],
            [
              ...buildah,
              "manifest",
              "push",
              "-q",
              "--all",
              "--tls-verify=false",
              image,
              `docker://${image}`,
            ],
          ],
    pull: (image) => [[...buildah, "pull", "-q", "--tls-verify=false", image]],
    forget: () => [[...buildah, "rmi", "-a", "-f"]],
  },
  {
    name: "buildx",
    build: (directory, image, compression, list) => [
      [
        "docker",
        "buildx",
        "build",
        ...(BUILDER ? ["--builder", BUILDER] : []),
        ...platform(list),
        "-o",
        output(image, compression),
        directory,
      ],
    ],
    pull: (image) => [["docker", "pull", "-q", image]],
    forget: (image) => [
      ["docker", "rmi", "-f", image, `${image}-again`],
      ["docker", "buildx", "prune", "-a", "-f", ...(BUILDER ? ["--builder", BUILDER] : [])],
    ],
  },
];

const eight =
  "linux/amd64,linux/arm64,linux/arm/v7,linux/386,linux/ppc64le,linux/riscv64,linux/s390x,linux/arm/v6";
interface Seconds {
  readonly wall: number;
  readonly cpu: number;
}

/** By row, then by builder. */
const times = new Map<string, Map<string, Seconds[]>>();
const loadBefore = loadavg()[0] ?? 0;
const asked = process.argv.slice(2);
const wanted = (name: string) => asked.length === 0 || asked.includes(name);
const here = builders.filter(({ name }) => name === "kiln" || has(name));
try {
  const files = manyFiles();
  const small = write("small", { Dockerfile: "FROM scratch\nARG TARGETARCH\nCOPY Dockerfile /\n" });
  for (let round = 0; round < Number(BENCH_ROUNDS); round++) {
    for (const builder of round % 2 === 0 ? here : here.toReversed()) {
      for (const compression of ["gzip", "zstd"]) {
        const image = `${REGISTRY}/bench/${builder.name}:${compression}-${process.pid}-${round}`;
        // No registry has this layer yet.
        writeFileSync(join(files, "round"), `${image} ${process.pid}`);
        if (wanted("push") || wanted("pull") || wanted("again")) {
          all(builder.forget(image));
          time(`push ${compression}`, builder, builder.build(files, image, compression));
        }
        if (wanted("again"))
          time(
            `again ${compression}`,
            builder,
            builder.build(files, `${image}-again`, compression),
          );
        if (wanted("pull")) {
          all(builder.forget(image));
          time(`pull ${compression}`, builder, builder.pull(image));
        }
      }
      const index = `${REGISTRY}/bench/${builder.name}:index-${process.pid}-${round}`;
      if (wanted("index")) time("index of 8", builder, builder.build(small, index, "gzip", eight));
    }
  }
  summarize();
} finally {
  all(here.filter(({ name }) => name === "buildah").flatMap((one) => one.forget("")));
  rmSync(place, { recursive: true, force: true });
}

function has(name: string): boolean {
  const command = name === "buildx" ? ["docker", "buildx", "version"] : [name, "--version"];
  return spawnSync(command[0] ?? "", command.slice(1)).status === 0;
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

function all(commands: readonly string[][]): void {
  for (const [program = "", ...args] of commands) spawnSync(program, args, { stdio: "ignore" });
}

function time(what: string, { name }: Builder, commands: readonly string[][]): void {
  const [begun, used] = [performance.now(), processorTime()];
  for (const [program = "", ...args] of commands) {
    const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
    if (status === 0) continue;
    process.stdout.write(
      `${what}: ${name} failed: ${error?.message ?? stderr.trim().slice(-300)}\n`,
    );
    return;
  }
  const seconds = { wall: (performance.now() - begun) / 1000, cpu: processorTime() - used };
  const row = times.get(what) ?? new Map<string, Seconds[]>();
  times.set(what, row.set(name, [...(row.get(name) ?? []), seconds]));
  process.stdout.write(`${what}: ${name} ${shown(seconds)}\n`);
}

function shown({ wall, cpu }: Seconds): string {
  return `${wall.toFixed(2)} s (cpu ${cpu.toFixed(2)})`;
}

/** Of all children that have ended, and of the daemons, in seconds. */
function processorTime(): number {
  const ticks = (pid: string, fields: readonly number[]) => {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const values = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields.reduce((sum, field) => sum + Number(values[field]), 0);
  };
  // utime, stime, cutime, cstime: proc(5), counted from the state.
  const daemons = BENCH_DAEMONS.split(",").filter(Boolean);
  const all = [ticks("self", [13, 14]), ...daemons.map((pid) => ticks(pid, [11, 12, 13, 14]))];
  return all.reduce((sum, one) => sum + one, 0) / 100;
}

function least(found: readonly Seconds[]): Seconds {
  const of = (name: keyof Seconds) => Math.min(...found.map((one) => one[name]));
  return { wall: of("wall"), cpu: of("cpu") };
}

function summarize(): void {
  process.stdout.write(`load ${loadBefore.toFixed(1)} to ${(loadavg()[0] ?? 0).toFixed(1)}\n`);
  for (const [what, row] of times) {
    const own = least(row.get("kiln") ?? []);
    const others = [...row]
      .filter(([name]) => name !== "kiln")
      .map(([name, found]) => {
        const other = least(found);
        const ratios = [own.wall / other.wall, own.cpu / other.cpu].map((one) => one.toFixed(2));
        return `${name} ${shown(other)}: ${ratios.join(" and ")} of it`;
      });
    process.stdout.write(`${[`${what}: kiln ${shown(own)}`, ...others].join("; ")}\n`);
  }
}
