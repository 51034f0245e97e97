// The main job, on real parts: builds for three processors, pushes one name, and proves that each image runs.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { busyboxContext, demoPlatforms } from "./fixtures/base-images.ts";
import { startRegistry } from "./fixtures/registry.ts";

const checkout = resolve(import.meta.dirname, "..");
const command = join(checkout, "bin/kiln");
const state = join(checkout, ".kiln/demo");
const started = performance.now();

rmSync(join(state, "root"), { recursive: true, force: true });
mkdirSync(state, { recursive: true });
await using registry = await startRegistry({ directory: join(state, "registry") });
const config = join(state, "kiln.toml");
writeFileSync(config, `[registry."docker.io"]\nmirrors = ["${registry.address}"]\n`);
const env = { ...process.env, KILN_CONFIG: config, KILN_ROOT: join(state, "root") };

title(`A registry listens on ${registry.address}; docker.io is mirrored there`);
title("Base image: busybox for three processors, from Debian's packages");
kiln([
  "build",
  "--platform",
  demoPlatforms,
  "-t",
  `${registry.address}/library/busybox:latest`,
  "--push",
  "-q",
  busyboxContext(state),
]);

const example = join(state, "hello");
rmSync(example, { recursive: true, force: true });
cpSync(join(checkout, "examples/hello"), example, { recursive: true });
const name = `${registry.address}/hello:multiarch`;
const build = ["build", "--platform", demoPlatforms, "-t", name, "--push", example];

title("One command, three processors, one name");
show(build);
title("What the registry has now");
const inspected = kiln(["imagetools", "inspect", name], { quiet: false });
const raw = JSON.parse(kiln(["imagetools", "inspect", "--raw", name], { quiet: true })) as {
  manifests: { digest: string; platform: { os: string; architecture: string; variant?: string } }[];
};
check(raw.manifests.length === 3, "the index has one entry for each of three platforms");
check(
  raw.manifests.every(({ digest }) => inspected.includes(digest)),
  "inspect shows every one of them",
);

title("Each image runs, on its own processor");
const machines: Readonly<Record<string, string>> = {
  amd64: "x86_64",
  arm64: "aarch64",
  arm: "armv7l",
};
for (const { digest, platform } of raw.manifests) {
  const words = [platform.os, platform.architecture, platform.variant].filter(Boolean).join("/");
  const said = kiln(["run", "--platform", words, `${registry.address}/hello@${digest}`, words]);
  const machine = machines[platform.architecture] ?? "?";
  check(
    said.startsWith("HELLO FROM KILN") && said.includes(`run on ${machine}`),
    `${words} says that it runs on ${machine}`,
  );
}

title("The same again: nothing has changed, so nothing runs");
const before = performance.now();
const again = kiln([...build, "--progress", "plain"]);
const seconds = (performance.now() - before) / 1000;
check(!/^#\d+ \d+\.\d+ /m.test(again), "no step ran");
check(seconds < 5, `it took ${seconds.toFixed(2)} s`);

title("One file changes: only what depends on it runs");
writeFileSync(join(example, "greeting.txt"), "hello from kiln, again\n");
const changed = kiln([...build, "--progress", "plain"]);
check(
  stepsRun(changed).some((step) => step.includes("tr ")),
  "the step that reads greeting.txt ran",
);
check(
  !stepsRun(changed).some((step) => step.includes("uname")),
  "the steps that do not were cached",
);

process.stdout.write(
  `\nThe main job works: ${((performance.now() - started) / 1000).toFixed(0)} s.\n`,
);

/** Names of the RUN steps that were not cached, from plain progress. */
function stepsRun(output: string): string[] {
  const cached = new Set([...output.matchAll(/^#(\d+) CACHED/gm)].map((match) => match[1]));
  return [...output.matchAll(/^#(\d+) (\[.*\] RUN .*)$/gm)]
    .filter((m) => !cached.has(m[1]))
    .map((m) => m[2] ?? "");
}

/** Runs the built command with the terminal to itself, where there is one. */
function show(args: readonly string[]): void {
  process.stdout.write(`$ kiln ${args.join(" ")}\n`);
  const { status } = spawnSync(command, args, { env, stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) fail(`kiln ${args[0]} ended with ${status}`);
}

/** Runs the built command, showing what it says unless `quiet`; answers what a build reports, or what others print. */
function kiln(args: readonly string[], { quiet = false }: { quiet?: boolean } = {}): string {
  if (!quiet) process.stdout.write(`$ kiln ${args.join(" ")}\n`);
  const result = spawnSync(command, args, {
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (!quiet) process.stdout.write(result.stderr + result.stdout);
  if (result.status !== 0)
    fail(
      `kiln ${args[0]} ended with ${result.status ?? result.signal}\n${quiet ? result.stderr : ""}`,
    );
  return args[0] === "build" ? result.stderr + result.stdout : result.stdout;
}

function title(text: string): void {
  process.stdout.write(`\n== ${text}\n`);
}

function check(ok: boolean, what: string): void {
  process.stdout.write(`   ${ok ? "ok" : "FAILED"}: ${what}\n`);
  if (!ok) fail(what);
}

function fail(why: string): never {
  process.stderr.write(`\nThe demo failed: ${why}\n`);
  process.exit(1);
}
