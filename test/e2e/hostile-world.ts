// Images made to harm, a registry that serves them, the built command to build from them, and a canary on the host.
import { execFileSync, spawn } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { busyboxContext } from "../../scripts/fixtures/base-images.ts";
import { AsyncStack, digestOf } from "../../src/base/index.ts";
import { mediaTypes } from "../../src/formats/oci/index.ts";
import { makeUser, userEnvironment, type Way } from "../kit/ordinary-user.ts";
import { startRegistry, type TestRegistry } from "../kit/registry.ts";
import { type TarSpec, tarOf } from "../kit/tar.ts";

const checkout = resolve(import.meta.dirname, "../..");

export interface HostileOutcome {
  readonly status: number | null;
  /** Everything that was written, to both streams. */
  readonly output: string;
  readonly seconds: number;
  /** Seconds of processor time that Kiln's process took, which do not depend on what else runs. */
  readonly processor: number;
  /** The most memory that Kiln's process had, in bytes. */
  readonly memory: number;
}

export interface HostileWorld extends AsyncDisposable {
  readonly directory: string;
  readonly registry: TestRegistry;
  /** A directory that no build may touch, with `file` in it, whose text is `secret`. */
  readonly canary: string;
  readonly secret: string;
  /** The processor of all images and steps. */
  readonly architecture: string;
  /** Changes when anything about the canary does. */
  fingerprint(): string;
  /** Pushes an image of busybox and these layers; answers its name. */
  image(...layers: readonly (readonly TarSpec[])[]): string;
  /** Pushes an image of blobs as they are. */
  rawImage(layers: readonly RawLayer[]): string;
  /** A new directory with these files. */
  context(files: Readonly<Record<string, string>>): string;
  kiln(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<HostileOutcome>;
  /** Builds `dockerfile` with plain progress. */
  build(
    dockerfile: string,
    files?: Readonly<Record<string, string>>,
    ...args: readonly string[]
  ): Promise<HostileOutcome>;
}

export interface RawLayer {
  readonly blob: Uint8Array;
  readonly diffId: string;
  readonly mediaType?: string;
  readonly urls?: readonly string[];
  /** Whether the registry has it. */
  readonly absent?: boolean;
}

const applets =
  "sh cat chmod dd echo head id ln ls mkdir mknod mv pwd rm seq sleep test touch truncate wc".split(
    " ",
  );

/** A layer of busybox with the usual names. */
function busyboxLayer(busybox: string): readonly TarSpec[] {
  return [
    { path: "bin/", mode: 0o755 },
    { path: "tmp/", mode: 0o1777 },
    { path: "bin/busybox", data: readFileSync(busybox), mode: 0o755 },
    ...applets.map((name) => ({ path: `bin/${name}`, linkname: "busybox" })),
  ];
}

/**
 * `way`: Kiln runs as an ordinary user made for this, who owns the canary; as root where absent. With a way of emulation, all
 * images and steps are for another processor.
 */
export async function openHostileWorld(way?: Way): Promise<HostileWorld> {
  await using opening = new AsyncStack();
  const directory = mkdtempSync(join(tmpdir(), "kiln-hostile-"));
  opening.defer(() => rmSync(directory, { recursive: true, force: true }));
  const user = way && opening.use(makeUser(way));
  const registry = opening.use(await startRegistry());
  const canary = join(directory, "canary");
  const secret = "the canary's own words";
  mkdirSync(join(canary, "sub"), { recursive: true });
  writeFileSync(join(canary, "file"), secret, { mode: 0o640 });
  const give = (path: string) => {
    if (user) execFileSync("chown", ["-R", `${user.name}:`, path]);
  };
  give(directory);
  const machine = process.arch === "arm64" ? "arm64" : "amd64";
  const architecture = way?.emulation === undefined ? machine : otherThan(machine);
  const busybox = layerOf(busyboxLayer(busyboxFor(architecture, machine)));
  let count = 0;
  const rawImage = (layers: readonly RawLayer[]) =>
    push(registry, `evil${++count}`, layers, architecture);
  const context = (files: Readonly<Record<string, string>>) => {
    const path = join(directory, `context${++count}`);
    mkdirSync(path);
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      writeFileSync(join(path, name), text);
    }
    give(path);
    return path;
  };
  const env = {
    ...(user && way ? userEnvironment(user, way) : process.env),
    KILN_CONFIG: "/dev/null",
    KILN_ROOT: join(directory, "root"),
    DOCKER_CONFIG: join(directory, "docker"),
    NO_COLOR: "1",
  };
  const kiln: HostileWorld["kiln"] = (args, more = {}) =>
    run([...(user?.become ?? []), command, ...args], { ...env, ...more }, directory);
  const owned = opening.move();
  return {
    directory,
    registry,
    canary,
    secret,
    architecture,
    fingerprint: () => JSON.stringify(fingerprint(canary)),
    image: (...layers) => rawImage([busybox, ...layers.map(layerOf)]),
    rawImage,
    context,
    kiln,
    build: (dockerfile, files = {}, ...args) =>
      kiln([
        "build",
        "--progress",
        "plain",
        ...(architecture === machine ? [] : ["--platform", `linux/${architecture}`]),
        ...args,
        context({ Dockerfile: dockerfile, ...files }),
      ]),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

function otherThan(machine: string): string {
  return machine === "arm64" ? "amd64" : "arm64";
}

function busyboxFor(architecture: string, machine: string): string {
  if (architecture === machine) return "/bin/busybox";
  const context = busyboxContext(join(checkout, ".kiln/fixtures"));
  return join(context, `rootfs-${architecture}/bin/busybox`);
}

export function layerOf(entries: readonly TarSpec[]): RawLayer {
  const tar = tarOf(entries);
  return { blob: gzipSync(tar), diffId: digestOf(tar) };
}

function push(
  registry: TestRegistry,
  name: string,
  layers: readonly RawLayer[],
  architecture: string,
): string {
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const config = registry.addBlob(
    name,
    json({
      architecture,
      os: "linux",
      config: { Env: ["PATH=/bin"] },
      rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    }),
    mediaTypes.ociConfig,
  );
  const descriptors = layers.map(({ blob, mediaType = mediaTypes.ociLayerGzip, urls, absent }) => ({
    ...(absent ? { digest: digestOf(blob), size: blob.length } : registry.addBlob(name, blob)),
    mediaType,
    ...(urls ? { urls } : {}),
  }));
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config,
    layers: descriptors,
  };
  registry.addManifest(name, "1", json(manifest), mediaTypes.ociManifest);
  return `${registry.host}/${name}:1`;
}

function fingerprint(path: string): readonly unknown[] {
  const { mode, uid, gid, size, mtimeMs, ctimeMs, nlink } = lstatSync(path);
  const own = [path, mode, uid, gid, size, mtimeMs, ctimeMs, nlink];
  if (!lstatSync(path).isDirectory()) return [...own, readFileSync(path, "utf8")];
  return [...own, ...readdirSync(path).map((name) => fingerprint(join(path, name)))];
}

const command = join(checkout, "bin/kiln");

function run(
  [program = "", ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd: string,
): Promise<HostileOutcome> {
  const began = performance.now();
  return new Promise((settle, reject) => {
    const child = spawn(program, args, {
      env,
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let memory = 0;
    let processor = 0;
    const look = setInterval(() => {
      memory = Math.max(memory, peakMemory(child.pid));
      processor = Math.max(processor, processorTime(child.pid));
    }, 20);
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    child.once("error", reject);
    child.once("close", (status) => {
      clearInterval(look);
      settle({ status, output, memory, processor, seconds: (performance.now() - began) / 1000 });
    });
  });
}

/** With that of children that have ended; in hundredths of seconds, as Linux tells it. */
function processorTime(pid: number | undefined): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) / 100;
  } catch {
    return 0;
  }
}

function peakMemory(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
