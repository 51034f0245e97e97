// Whole builds, Kiln beside docker buildx and buildah, turn by turn on the same machine: `npx tsx bench/builds.ts --help`.
import { spawnSync } from "node:child_process";
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { busyboxContext, demoPlatforms as three } from "../scripts/fixtures/base-images.ts";
import { startRegistry } from "../scripts/fixtures/registry.ts";
import { writeFiles } from "./contexts.ts";
import {
  type Build,
  type Builder,
  BuilderFailed,
  buildersBelow,
  kilnBelow,
  type Spent,
  spend,
} from "./neighbour.ts";
import { printTable, shown } from "./table.ts";
import { type Turn, type Workload, workloads } from "./workloads.ts";

const {
  REGISTRY,
  BENCH_BASE,
  BENCH_BUILDERS = "kiln,buildx,buildah",
  BENCH_ROUNDS = "3",
  BENCH_LARGE_ROUNDS = "1",
  BENCH_WORK = tmpdir(),
} = process.env;

class BuildersTurn implements Turn {
  readonly #builder: Builder;
  readonly #name: string;
  readonly #directory: string;
  /** False for what is done once before, and not counted. */
  readonly #counts: boolean;

  constructor(builder: Builder, name: string, directory: string, counts: boolean) {
    this.#builder = builder;
    this.#name = name;
    this.#directory = directory;
    this.#counts = counts;
  }

  build(row: string, how: Omit<Build, "directory" | "image"> = {}): void {
    const image = `${registry}/bench/${this.#builder.name}:${this.#name}`;
    this.#count(row, this.#builder.build({ ...how, image, directory: this.#directory }));
  }

  bake(row: string, targets: readonly string[]): void {
    this.#count(row, this.#builder.bake(this.#directory, targets));
  }

  change(file: string): void {
    writeFiles(this.#directory, { [file]: `${process.pid} ${Date.now()} ${++numbers}\n` });
  }

  startAnew(platforms?: string): void {
    this.#builder.forget();
    fetchBase(this.#builder, platforms);
    this.change("nonce");
    // What others wrote is not written out in this one's time.
    spawnSync("sync");
  }

  #count(row: string, commands: readonly (readonly string[])[]): void {
    const spent = spend(this.#builder, commands);
    if (!this.#counts) return;
    process.stderr.write(`${row}: ${this.#builder.name} ${shown(spent)}\n`);
    const byBuilder = results.get(row) ?? new Map<string, Spent[]>();
    const list = byBuilder.get(this.#builder.name) ?? [];
    results.set(row, byBuilder.set(this.#builder.name, [...list, spent]));
  }
}

const json = process.argv.includes("--json");
const asked = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const unknown = asked.filter((name) => !(name in workloads));
if (process.argv.includes("--help") || unknown.length > 0) {
  const rows = Object.entries(workloads).map(([name, { says }]) => `  ${name.padEnd(9)} ${says}\n`);
  process.stdout.write(`npx tsx bench/builds.ts [--json] [ROW...]

Builds with Kiln (npm run build first; root), docker buildx and buildah, as far as they are here, in turns. Contexts are made
by the bench, the same ones each time; a registry and the base image too, from Debian's packages, where none are named.
${rows.join("")}
  REGISTRY            address of a registry without TLS; one is started (docker-registry)
  BENCH_BASE          base image for all platforms; REGISTRY/library/busybox:latest, built and pushed there
  BENCH_BUILDERS      who takes part; kiln,buildx,buildah
  KILN                Kiln's command; bin/kiln
  BENCH_ROUNDS        how often; 3
  BENCH_LARGE_ROUNDS  how often for context, files, large, files3, large3; 1
  BENCH_CONTEXT       files of b; 100000
  BENCH_FILES         files of e; 20000
  BENCH_MIB           size of the large file; 1024
  BENCH_TARGETS       targets of g; 20
  BENCH_WORK          where contexts, stores and the registry lie; the directory for temporary files
  BENCH_DAEMONS       ids of the processes that work for buildx, by commas; dockerd, containerd and buildkitd by name

Prints medians: seconds by the clock (processor seconds with the daemons'; peak memory of the command's largest process and of the
daemons; how long the finished image was unpacked, which dockerd always does). Then, how much Kiln needs of the fastest neighbour's
time, in brackets of that without unpacking, and of buildx's memory. --json prints all that was measured instead. Steps of neighbours have
the machine's network, which costs them least.
`);
  process.exit(unknown.length > 0 ? 1 : 0);
}

const results = new Map<string, Map<string, Spent[]>>();
const place = mkdtempSync(join(BENCH_WORK, "kiln-builds-"));
const builders = buildersBelow(place, BENCH_BUILDERS.split(","));
const baseOnly = join(place, "base");
const loadBefore = loadavg()[0] ?? 0;
let numbers = 0;
await using started = REGISTRY
  ? undefined
  : await startRegistry({ directory: join(place, "registry") });
const registry = REGISTRY ?? started?.address;
const base = BENCH_BASE ?? `${registry}/library/busybox:latest`;
try {
  if (!REGISTRY && !BENCH_BASE) pushBase(base);
  writeFiles(baseOnly, { Dockerfile: `FROM ${base}\nCOPY Dockerfile /\n` });
  for (const builder of builders) fetchBase(builder, three);
  for (const [name, workload] of Object.entries(workloads))
    if (asked.length === 0 || asked.includes(name)) compare(name, workload);
  const load = { before: loadBefore, after: loadavg()[0] ?? 0 };
  if (json) {
    const rows = [...results].map(([row, by]) => ({ row, builders: Object.fromEntries(by) }));
    process.stdout.write(`${JSON.stringify({ load, rows }, undefined, 2)}\n`);
  } else {
    printTable(
      builders.map(({ name }) => name),
      results,
    );
    process.stdout.write(`load ${load.before.toFixed(1)} to ${load.after.toFixed(1)}\n`);
  }
} finally {
  for (const builder of builders) builder[Symbol.dispose]();
  rmSync(place, { recursive: true, force: true });
}

/** Makes busybox for three platforms and pushes it. */
function pushBase(image: string): void {
  const directory = busyboxContext(join(place, "packages"));
  const kiln = kilnBelow(join(place, "fixtures"));
  spend(kiln, kiln.build({ directory, image, platforms: three, push: "gzip" }));
}

/** The base image is there, as in stores that have been in use. A failure is told by the builds that are measured. */
function fetchBase(builder: Builder, platforms?: string): void {
  const image = `${registry}/bench/${builder.name}:base`;
  for (const [program = "", ...args] of builder.build({ directory: baseOnly, image, platforms }))
    spawnSync(program, args, { env: builder.env, stdio: "ignore" });
}

function compare(name: string, { write, turn, large, known }: Workload): void {
  let directory = join(place, name);
  write(directory, base);
  const able = builders.filter((builder) => !known || tried(turn, builder, name, directory, false));
  for (let round = 0; round < Number(large ? BENCH_LARGE_ROUNDS : BENCH_ROUNDS); round++) {
    // Who begins takes turns.
    const first = round % able.length;
    for (const builder of [...able.slice(first), ...able.slice(0, first)]) {
      if (large) {
        // A daemon knows contexts by their names.
        const fresh = join(place, `${name}-${builder.name}-${round}`);
        renameSync(directory, fresh);
        directory = fresh;
      }
      tried(turn, builder, name, directory, true);
    }
  }
  rmSync(directory, { recursive: true });
}

/** False where the builder cannot do it: said, and left out of the row. */
function tried(
  turn: Workload["turn"],
  builder: Builder,
  name: string,
  directory: string,
  counts: boolean,
): boolean {
  try {
    turn(new BuildersTurn(builder, name, directory, counts));
    return true;
  } catch (error) {
    if (!(error instanceof BuilderFailed)) throw error;
    process.stderr.write(`${name}: ${error.message}\n`);
    return false;
  }
}
