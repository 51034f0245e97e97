// What the executor's tests run in: a root file system of busybox, as a directory or as an overlay over one.
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BuildEvent, StepCall } from "../../src/api/index.ts";
import { digestOf, uncancelled } from "../../src/base/index.ts";
import type { ExecMount, Executor, ProcessSpec } from "../../src/engine/executor/index.ts";
import type { Mount } from "../../src/storage/snapshot/index.ts";

const applets =
  "sh cat echo env id ls mkdir mount mv ln printf rm seq sleep sort stat tee touch true wc".split(
    " ",
  );

/** A directory that goes away with all below it. */
export function temporaryDirectory(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "kiln-executor-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** `path` with /bin/busybox and its applets, and nothing else. */
export function makeRoot(path: string, busybox = "/bin/busybox"): string {
  mkdirSync(join(path, "bin"), { recursive: true });
  copyFileSync(busybox, join(path, "bin/busybox"));
  chmodSync(join(path, "bin/busybox"), 0o755);
  for (const name of applets) symlinkSync("busybox", join(path, "bin", name));
  return path;
}

/** An overlay over `lower` whose changes land in `upper`, beside it. */
export function overlayOn(lower: string): {
  readonly mounts: readonly Mount[];
  readonly upper: string;
} {
  const [upper, work] = [`${lower}-upper`, `${lower}-work`];
  for (const one of [upper, work]) mkdirSync(one, { recursive: true });
  return { upper, mounts: [{ type: "overlay", lower: [lower], upper, work }] };
}

export interface Run {
  readonly stdout: string;
  readonly stderr: string;
  readonly events: readonly BuildEvent[];
}

/** A step's process with everything left at its default. */
export function processOf(args: readonly string[], more: Partial<ProcessSpec> = {}): ProcessSpec {
  return {
    args,
    env: [],
    cwd: "/",
    network: "default",
    security: "sandbox",
    platform: { os: "linux", architecture: process.arch === "arm64" ? "arm64" : "amd64" },
    ...more,
  };
}

/** A call that gathers what is said. */
export function recorder(signal: AbortSignal = uncancelled.signal): {
  readonly call: StepCall;
  result(): Run;
} {
  const events: BuildEvent[] = [];
  const text = (stream: 1 | 2) =>
    new TextDecoder().decode(
      Uint8Array.from(
        events.flatMap((one) => (one.type === "log" && one.stream === stream ? [...one.data] : [])),
      ),
    );
  return {
    call: { signal, step: digestOf("step"), emit: (event) => void events.push(event) },
    result: () => ({ stdout: text(1), stderr: text(2), events }),
  };
}

/** Runs a shell command in `rootfs` and gives what it wrote. */
export async function runShell(
  executor: Executor,
  rootfs: readonly Mount[],
  command: string,
  more: { readonly process?: Partial<ProcessSpec>; readonly mounts?: readonly ExecMount[] } = {},
): Promise<Run> {
  const recorded = recorder();
  const process = processOf(["/bin/sh", "-c", command], more.process);
  await executor.run(process, rootfs, more.mounts ?? [], recorded.call);
  return recorded.result();
}
