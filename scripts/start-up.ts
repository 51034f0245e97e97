// How the bundled command starts: V8 is given the code that it compiled for a build like the one about to run.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

/** A script of the command and the code that V8 compiled for it: names of files in `dist`. */
export interface ProgramFile {
  readonly script: string;
  readonly cache: string;
}

/**
 * What of Node a build whose steps are cached does without: loaded when something of it is first used. The bundle asks for names
 * of modules at the place of their use.
 */
const loadedLate = [
  "child_process",
  "fs/promises",
  "readline",
  "timers/promises",
  "worker_threads",
];

/**
 * The source of kiln.cjs, which runs the first file, and the second one when something of it is required. V8 refuses code of
 * another version, and compiles the script itself then. `scripts` has what was run, for who writes the code down.
 */
export function starter(files: readonly [ProgramFile, ProgramFile]): string {
  return `"use strict";
// Generated. Runs the program with the code that V8 compiled for it when it was built, where V8 accepts that.
const { readFileSync } = require("node:fs");
const { Script } = require("node:vm");
const { pathToFileURL } = require("node:url");
const files = ${JSON.stringify(files)};
const scripts = [];
const parts = [];
function part(index) {
  if (parts[index]) return parts[index].exports;
  const { script: name, cache } = files[index];
  const filename = __dirname + "/" + name;
  let cachedData;
  try {
    cachedData = readFileSync(__dirname + "/" + cache);
  } catch {}
  const source = "(function (require, module, exports, __filename, __dirname, __url) {" + readFileSync(filename, "latin1") + "\\n})";
  const script = new Script(source, { filename, cachedData });
  scripts.push({ script, cache });
  const module = { exports: {} };
  parts[index] = module;
  script.runInThisContext()(find, module, module.exports, filename, __dirname, pathToFileURL(filename).href);
  return module.exports;
}
function find(name) {
  if (name.startsWith("shared:")) return part(0).shared[name.slice(7)]();
  if (name.startsWith("rest:")) return part(1).modules[name.slice(5)]();
  return late.has(name) ? lazily(name) : require(name);
}
const late = new Set(${JSON.stringify(loadedLate.map((name) => `node:${name}`))});
function lazily(name) {
  let loaded;
  const load = () => (loaded ??= require(name));
  return new Proxy({}, {
    get: (_, key) => load()[key],
    has: (_, key) => key in load(),
    ownKeys: () => Reflect.ownKeys(load()),
    getOwnPropertyDescriptor: (_, key) => ({ value: load()[key], enumerable: true, configurable: true }),
  });
}
module.exports = { scripts, part };
part(0);
`;
}

/** Runs builds as users do, and keeps the code that V8 compiled for it beside the program. */
export async function writeCodeCache(dist: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "kiln-warm-up-"));
  const registry = await serveImage();
  const { port } = registry.address() as AddressInfo;
  const context = join(directory, "context");
  mkdirSync(context);
  writeFileSync(join(context, "Dockerfile"), dockerfile(`127.0.0.1:${port}/base`));
  const recorder = join(directory, "record.cjs");
  writeFileSync(
    recorder,
    `const { scripts } = require(${JSON.stringify(join(dist, "kiln.cjs"))});
    const { writeFileSync } = require("node:fs");
    process.on("exit", () => {
      for (const { script, cache } of scripts)
        writeFileSync(${JSON.stringify(`${dist}/`)} + cache, script.createCachedData());
    });`,
  );
  const config = join(directory, "kiln.toml");
  writeFileSync(config, `[registry."127.0.0.1:${port}"]\nhttp = true\n`);
  const root = ["--root", join(directory, "root")];
  try {
    // Each starts with the code of those before, and adds its own.
    for (const words of builds)
      await runWarmUp([recorder, "build", ...root, ...words, context], config);
    for (const words of others) await runWarmUp([recorder, ...words], config);
  } finally {
    registry.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

const platforms = ["linux/amd64", "linux/arm64"] as const;

/** As users say it. The first one runs its steps, the others find them cached. */
const builds: readonly (readonly string[])[] = [
  ["--platform", platforms.join(), "-t", "warm:up"],
  ["--platform", platforms.join(), "-t", "warm:up"],
  ["--progress", "plain", "-o", "type=image,name=warm:up"],
];

/** What is in the second file. */
const others: readonly (readonly string[])[] = [["imagetools", "inspect", "--help"]];

const dockerfile = (base: string): string => `# syntax=docker/dockerfile:1
FROM ${base} AS files
WORKDIR /app
COPY Dockerfile ./
FROM ${base}
ARG TARGETARCH
ENV ARCH=$TARGETARCH
LABEL org.example.arch="\${TARGETARCH}"
COPY --from=files --chown=1:1 /app /app
CMD ["true"]
`;

async function runWarmUp(argv: readonly string[], config: string): Promise<void> {
  // What an ordinary user's build leaves is the user's own then, and can be removed.
  const env = { ...process.env, KILN_OWNERS: "one", KILN_CONFIG: config };
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "ignore", "pipe"], env });
  let said = "";
  child.stderr.on("data", (chunk: Uint8Array) => {
    said += new TextDecoder().decode(chunk);
  });
  const code = await new Promise<number | null>((done) => child.on("close", done));
  if (code !== 0) throw new Error(`a warm-up failed: ${said.slice(-2000)}`);
}

/** A registry with one image, one empty directory in one layer, for all platforms of the warm-up. */
async function serveImage(): Promise<Server> {
  const blobs = new Map<string, { type: string; data: Uint8Array }>();
  const add = (type: string, data: Uint8Array, more = {}) => {
    const digest = `sha256:${createHash("sha256").update(data).digest("hex")}`;
    blobs.set(digest, { type, data });
    return { mediaType: type, digest, size: data.length, ...more };
  };
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const tar = new Uint8Array(1024);
  const layer = add("application/vnd.oci.image.layer.v1.tar+gzip", gzipSync(tar));
  const diffId = `sha256:${createHash("sha256").update(tar).digest("hex")}`;
  const manifests = platforms.map((platform) => {
    const [os, architecture] = platform.split("/");
    const rootfs = { type: "layers", diff_ids: [diffId] };
    const config = { os, architecture, rootfs, history: [{ created_by: "base" }], config: {} };
    const manifest = {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: add("application/vnd.oci.image.config.v1+json", json(config)),
      layers: [layer],
    };
    return add(manifest.mediaType, json(manifest), { platform: { os, architecture } });
  });
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const index = add(mediaType, json({ schemaVersion: 2, mediaType, manifests }));
  const server = createServer((request, response) => {
    const name = request.url?.split("/").at(-1) ?? "";
    const found = blobs.get(name === "latest" ? index.digest : name);
    if (request.url === "/v2/") return void response.end();
    if (!found) return void response.writeHead(404).end();
    const digest = name === "latest" ? index.digest : name;
    response.writeHead(200, {
      "content-type": found.type,
      "content-length": found.data.length,
      "docker-content-digest": digest,
    });
    response.end(request.method === "HEAD" ? undefined : found.data);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return server;
}
