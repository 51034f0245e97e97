// Uploading a build context through a session: 100,000 small files, then one of 1 GiB: `npx tsx bench/session.ts [directory]`.
//
// Two processes on one machine: one lends, the other is the builder. Beside it, the bytes of the same files copied by cp.
import { execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Session, StepCall } from "../src/api/index.ts";
import { uncancelled as call, digestOf } from "../src/base/index.ts";
import { createLocalSource } from "../src/engine/source/index.ts";
import { createGrpcServer, openChannel } from "../src/remote/grpc/index.ts";
import { remoteSession, serveSession } from "../src/remote/session/index.ts";
import { shareDirectory } from "../src/storage/directory/index.ts";
import { openCopySnapshotter } from "../src/storage/snapshot/index.ts";

const rounds = 3;
const files = 100_000;
const gibibyte = 1 << 30;

/** The lending process: `session.ts serve SOCKET DIRECTORY`. */
function serve(socket: string, directory: string): void {
  const session = {
    files: (name: string, filter: object, asking: typeof call) =>
      shareDirectory(join(directory, name), filter, asking),
  } as unknown as Session;
  const server = createGrpcServer(serveSession(session, { exporters: [] }));
  createServer((one) => void server.accept(one)).listen(socket, () => console.log("ready"));
}

function makeTrees(root: string): void {
  for (let at = 0; at < files; at++) {
    const folder = join(root, "small", `d${at % 211}`, `e${at % 7}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `f${at}`), `${at} `.repeat(50 + (at % 400)));
  }
  mkdirSync(join(root, "large"));
  const file = openSync(join(root, "large/file"), "w");
  const piece = new Uint8Array(1 << 20).map((_, at) => (at * 7919) >> 3);
  for (let at = 0; at < gibibyte; at += piece.length) writeSync(file, piece);
  closeSync(file);
}

async function timed(name: string, work: () => Promise<unknown>, reset = () => {}): Promise<void> {
  const walls: number[] = [];
  for (let round = 0; round < rounds; round++) {
    reset();
    const start = performance.now();
    await work();
    walls.push(performance.now() - start);
  }
  const shown = walls.map((wall) => (wall / 1000).toFixed(2)).join(", ");
  console.log(`${name.padEnd(64)} ${shown} s`);
}

/** Everything is asked for and thrown away. */
async function receive(session: Session, name: string): Promise<void> {
  await using shared = session.files(name, {}, call);
  const reads: Promise<void>[] = [];
  let index = 0;
  for await (const batch of shared.entries) {
    for (const { mode } of batch) {
      if ((mode & 0o170000) === 0o100000) reads.push(shared.read(index, () => {}, call));
      index++;
    }
  }
  await Promise.all(reads);
}

async function run(place: string): Promise<void> {
  const root = mkdtempSync(join(place, "kiln-bench-"));
  const socket = join(root, "socket");
  makeTrees(root);
  const args = ["--import", "tsx", import.meta.filename, "serve", socket, root];
  const lender = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => lender.stdout.once("data", resolve));
  const channel = openChannel(connect(socket));
  const methods = ["/moby.filesync.v1.FileSync/DiffCopy"];
  const session = remoteSession(channel, { id: "bench", name: "", sharedKey: "bench", methods });
  const snapshotter = await openCopySnapshotter({ dir: join(root, "snapshots") });
  const kept = join(root, "kept");
  const source = createLocalSource({
    directory: kept,
    snapshotter,
    now: () => Date.now() + 60_000,
  });
  const step: StepCall = { ...call, step: digestOf("bench"), emit() {} };
  const platform = { os: "linux", architecture: "amd64" };
  const resolve = (name: string) =>
    source.resolve({ scheme: "local", rest: name, attrs: {}, platform }, session, step);
  const forget = () => rmSync(kept, { recursive: true, force: true });
  const copied = join(root, "copied");
  for (const [name, what] of [
    ["small", `${files} small files`],
    ["large", "one file of 1 GiB"],
  ] as const) {
    await timed(`${what}: sent and thrown away`, () => receive(session, name));
    await timed(`${what}: sent, hashed and kept`, () => resolve(name), forget);
    await timed(`${what}: again, nothing changed`, () => resolve(name));
    await timed(
      `${what}: cp -r`,
      async () => execFileSync("cp", ["-r", join(root, name), copied]),
      () => rmSync(copied, { recursive: true, force: true }),
    );
  }
  await channel[Symbol.asyncDispose]();
  await snapshotter[Symbol.asyncDispose]();
  lender.kill();
  rmSync(root, { recursive: true, force: true });
}

const [verb = tmpdir(), socket = "", directory = ""] = process.argv.slice(2);
if (verb === "serve") serve(socket, directory);
else await run(verb);
