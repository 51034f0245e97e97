// A world of one's own for end-to-end tests: a real registry with a base image in it, a store, and the built command.
import { type ChildProcess, spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { busyboxContext, demoPlatforms } from "../../scripts/fixtures/base-images.ts";
import { type RunningRegistry, startRegistry } from "../../scripts/fixtures/registry.ts";
import { AsyncStack } from "../../src/base/index.ts";
import { validateLayout, validateRegistry } from "../kit/image-spec.ts";

const checkout = resolve(import.meta.dirname, "../..");

export const threePlatforms: string = demoPlatforms;

export interface Outcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
  /** Called with the process, e.g. to send it signals. */
  readonly started?: (child: ChildProcess) => void;
}

export interface World extends AsyncDisposable {
  readonly directory: string;
  readonly registry: RunningRegistry;
  /** Kiln's root. */
  readonly root: string;
  kiln(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  /** Writes files below a new directory and answers its path. */
  context(files: Readonly<Record<string, string>>): string;
}

/** `docker.io` is mirrored to the world's registry, which holds `library/busybox` for three platforms. */
export async function openWorld(): Promise<World> {
  await using opening = new AsyncStack();
  const directory = mkdtempSync(join(tmpdir(), "kiln-e2e-"));
  opening.defer(() => rmSync(directory, { recursive: true, force: true }));
  const registry = opening.use(await startRegistry({ directory: join(directory, "registry") }));
  const config = join(directory, "kiln.toml");
  writeFileSync(config, `[registry."docker.io"]\nmirrors = ["${registry.address}"]\n`);
  const root = join(directory, "root");
  const env = {
    ...process.env,
    KILN_CONFIG: config,
    KILN_ROOT: root,
    DOCKER_CONFIG: join(directory, "docker"),
    SOURCE_DATE_EPOCH: undefined,
    NO_COLOR: "1",
  };
  let contexts = 0;
  opening.defer(() => checkExports(directory));
  const owned = opening.move();
  const world: World = {
    directory,
    registry,
    root,
    kiln: (args, options = {}) =>
      run(join(checkout, "bin/kiln"), args, {
        cwd: directory,
        ...options,
        env: { ...env, ...options.env },
      }),
    context(files) {
      const path = join(directory, `context-${++contexts}`);
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(path, name)), { recursive: true });
        writeFileSync(join(path, name), text);
      }
      return path;
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
  await pushBusybox(world);
  return world;
}

/** Whatever a test has exported or pushed is what the image specification says. Throws what is not. */
function checkExports(directory: string): void {
  const layouts = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(directory, entry.name, "oci-layout")))
    .map(({ name }) => join(directory, name));
  const problems = [
    ...validateRegistry(join(directory, "registry/data")),
    ...layouts.flatMap((layout) => validateLayout(layout)),
  ];
  if (problems.length > 0)
    throw new Error(`not what the image specification says:\n${problems.join("\n")}`);
}

async function pushBusybox({ kiln, registry, directory }: World): Promise<void> {
  const context = join(directory, "busybox");
  cpSync(busyboxContext(join(checkout, ".kiln/fixtures")), context, {
    recursive: true,
    verbatimSymlinks: true,
  });
  const name = `${registry.address}/library/busybox:latest`;
  const built = await kiln(["build", "--platform", threePlatforms, "-t", name, "--push", context]);
  if (built.status !== 0) throw new Error(`the base image could not be built:\n${built.stderr}`);
}

function run(
  command: string,
  args: readonly string[],
  { env, cwd, input, started }: Omit<RunOptions, "env"> & { readonly env: NodeJS.ProcessEnv },
): Promise<Outcome> {
  const begin = performance.now();
  return new Promise((resolvePromise, reject) => {
    const child = spawn(command, args, { env, cwd, stdio: ["pipe", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.stdin.on("error", () => {});
    child.stdin.end(input ?? "");
    child.once("error", reject);
    child.once("close", (status, signal) =>
      resolvePromise({
        status,
        signal,
        stdout,
        stderr,
        seconds: (performance.now() - begin) / 1000,
      }),
    );
    started?.(child);
  });
}
