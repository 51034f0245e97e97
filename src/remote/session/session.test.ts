// Everything that a session lends, through both ends of one connection.
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { FileEntry, FileFilter, Session, SharedFiles } from "../../api/index.ts";
import {
  AsyncStack,
  bytesOf,
  type Digest,
  digestOf,
  readAll,
  uncancelled,
} from "../../base/index.ts";
import { exporter } from "../../formats/proto/index.ts";
import { shareDirectory } from "../../storage/directory/index.ts";
import {
  bind,
  createGrpcServer,
  openChannel,
  type Service,
  StatusError,
  statusCodes,
} from "../grpc/index.ts";
import { remoteSession, serveSession } from "./index.ts";

const call = uncancelled;
let root: string;
let sockets = 0;
let stack: AsyncStack;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kiln-session-"));
  stack = new AsyncStack();
});
afterEach(async () => {
  await stack[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

/** What `session` lends, as a builder sees it at the other end of a socket. */
async function through(
  session: Partial<Session>,
  exporters: readonly string[] = [],
): Promise<Session> {
  return await throughServices(serveSession(session as Session, { exporters }));
}

async function throughServices(services: readonly Service[]): Promise<Session> {
  const server = stack.use(createGrpcServer(services));
  const path = join(root, `socket-${++sockets}`);
  const listener = createServer((socket) => void server.accept(socket));
  await new Promise<void>((resolve) => listener.listen(path, resolve));
  stack.defer(() => listener.close());
  const channel = stack.use(openChannel(connect(path)));
  const methods = services.flatMap((service) => service.methods.map((method) => method.path));
  return remoteSession(channel, { id: "1", name: "", sharedKey: "key", methods });
}

async function listed(files: SharedFiles): Promise<FileEntry[]> {
  const all: FileEntry[] = [];
  for await (const batch of files.entries) all.push(...batch);
  return all;
}

async function contentOf(files: SharedFiles, index: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  await files.read(index, (chunk) => void chunks.push(chunk), call);
  return new TextDecoder().decode(
    await readAll(
      (async function* () {
        yield* chunks;
      })(),
      1 << 30,
      "file",
    ),
  );
}

test("a directory is listed and its files are read", async () => {
  mkdirSync(join(root, "d/ünder"), { recursive: true });
  writeFileSync(join(root, "d/a"), "text");
  chmodSync(join(root, "d/a"), 0o4755);
  linkSync(join(root, "d/a"), join(root, "d/b"));
  writeFileSync(join(root, "d/ünder/large"), "x".repeat(3_000_000));
  symlinkSync("a", join(root, "d/link"));
  const asked: FileFilter[] = [];
  const session = await through({
    files(name, filter, asking) {
      asked.push(filter);
      return shareDirectory(join(root, name), filter, asking);
    },
  });
  const filter = { exclude: ["*.ö", "a b "], followPaths: ["a"], include: ["**"] };
  const files = session.files("d", filter, call);
  const entries = await listed(files);
  expect(asked).toEqual([filter]);
  expect(entries.map(({ path }) => path)).toEqual(["a", "b", "link", "ünder", "ünder/large"]);
  expect(entries[0]).toMatchObject({ mode: 0o104755, size: 4, uid: 0 });
  expect(entries[1]).toMatchObject({ linkname: "a", size: 0 });
  expect(entries[2]).toMatchObject({ linkname: "a" });
  expect((entries[2]?.mode ?? 0) & 0o170000).toBe(0o120000);
  const [text, large] = await Promise.all([contentOf(files, 0), contentOf(files, 4)]);
  expect([text, large.length]).toEqual(["text", 3_000_000]);
  await files[Symbol.asyncDispose]();
});

test("a directory that is not lent is told by name", async () => {
  const session = await through({
    files(name) {
      throw new Error(`no access allowed to dir "${name}"`);
    },
  });
  const files = session.files("other", {}, call);
  await expect(listed(files)).rejects.toThrow(/no access allowed to dir "other"/);
  await files[Symbol.asyncDispose]();
});

test("leaving a transfer in the middle ends it on both sides", async () => {
  let ended = false;
  const endless = (async function* () {
    try {
      for (let i = 0; ; i++) {
        yield [
          { path: String(i).padStart(9, "0"), mode: 0o100644, uid: 0, gid: 0, size: 0, mtime: 0n },
        ];
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      ended = true;
    }
  })();
  const session = await through({
    files: () => ({ entries: endless, read: async () => {}, async [Symbol.asyncDispose]() {} }),
  });
  const files = session.files("context", {}, call);
  for await (const _ of files.entries) break;
  await files[Symbol.asyncDispose]();
  await expect.poll(() => ended).toBe(true);
});

test("an archive goes to the output it is meant for", async () => {
  const received: unknown[] = [];
  const session = await through(
    {
      async receive(target, tar) {
        received.push(target, digestOf(await readAll(tar, 1 << 30, "tar")));
      },
    },
    ["image", "oci", "tar"],
  );
  const data = new Uint8Array(2_500_000).fill(7);
  await session.receive({ index: 2, type: "tar" }, bytesOf(data), call);
  expect(received).toEqual([{ index: 2, type: "tar" }, digestOf(data)]);
  await expect(session.receive({ index: 9, type: "tar" }, bytesOf("x"), call)).rejects.toThrow(
    /exporter 9 not found/,
  );
});

test("files of a local output are sent one by one", async () => {
  writeFileSync(join(root, "out"), "content");
  mkdirSync(join(root, "r"));
  writeFileSync(join(root, "r/f"), "result");
  let got = "";
  const session = await through(
    {
      async receiveFiles(_target, files) {
        expect((await listed(files)).map(({ path }) => path)).toEqual(["f"]);
        got = await contentOf(files, 0);
      },
    },
    ["local"],
  );
  await session.receiveFiles?.(
    { index: 0, type: "local" },
    shareDirectory(join(root, "r"), {}, call),
    call,
  );
  expect(got).toBe("result");
});

test("a receiver's failure is the sender's", async () => {
  mkdirSync(join(root, "r"));
  writeFileSync(join(root, "r/f"), "result");
  const session = await through(
    {
      async receiveFiles() {
        throw new Error("disk on fire");
      },
    },
    ["local"],
  );
  const files = shareDirectory(join(root, "r"), {}, call);
  const sent = session.receiveFiles?.({ index: 0, type: "local" }, files, call);
  await expect(sent).rejects.toThrow(/disk on fire/);
});

test("secrets are given, or are not there", async () => {
  const session = await through({
    secret: async (id) => (id === "token" ? new TextEncoder().encode("s3cret") : undefined),
  });
  expect(new TextDecoder().decode(await session.secret("token", call))).toBe("s3cret");
  expect(await session.secret("other", call)).toBeUndefined();
});

test("an agent is talked to in both directions", async () => {
  const echo = (): Duplex => new PassThrough();
  const session = await through({
    ssh: async (id) => (id === "default" ? { connect: echo } : undefined),
  });
  expect(await session.ssh("other", call)).toBeUndefined();
  const conversation = (await session.ssh("default", call))?.connect();
  conversation?.write("who is there");
  const answer = await new Promise((resolve) => conversation?.once("data", resolve));
  expect(String(answer)).toBe("who is there");
  conversation?.destroy();
});

test("an upload is sent once, by id", async () => {
  const session = await through({
    upload: (id) => (id === "abc" ? bytesOf("archive") : undefined),
  });
  const data = session.upload?.("abc", call);
  if (!data) throw new Error("offered");
  expect(new TextDecoder().decode(await readAll(data, 100, "upload"))).toBe("archive");
});

test("credentials come as they are, tokens only with a proven key", async () => {
  const plain = await through({
    credentials: async (host) =>
      host === "docker.io" ? { username: "u", password: "p" } : undefined,
  });
  expect(await plain.credentials("docker.io", call)).toEqual({ username: "u", password: "p" });
  expect(await plain.credentials("ghcr.io", call)).toBeUndefined();
  const request = { host: "r:5000", realm: "https://r/token", service: "r", scopes: ["a"] };
  expect(await plain.token?.(request, call)).toBeUndefined();
});

test("tokens are fetched on the asking side", async () => {
  const asked: unknown[] = [];
  const session = await through({
    async token(request) {
      asked.push(request);
      return { token: "bearer", expiresIn: 60, issuedAt: new Date(1_700_000_000_000) };
    },
  });
  const request = { host: "docker.io", realm: "https://r/token", service: "r", scopes: ["a", "b"] };
  expect(await session.token?.(request, call)).toEqual({
    token: "bearer",
    expiresIn: 60,
    issuedAt: new Date(1_700_000_000_000),
  });
  expect(asked).toEqual([request]);
});

test("blobs of layouts are read, and written to stores that take them", async () => {
  const blobs = new Map<Digest, Uint8Array>();
  const store = {
    place: "/cache",
    size: async (digest: Digest) => blobs.get(digest)?.length,
    read: (digest: Digest) => bytesOf(blobs.get(digest) ?? ""),
    async write(digest: Digest, _size: number, data: AsyncIterable<Uint8Array>) {
      blobs.set(digest, await readAll(data, 1 << 30, "blob"));
    },
  };
  const session = await through({
    layout: (name) => (name === "base" ? store : undefined),
    store: (id) => (id === "local:/cache" ? store : undefined),
  });
  const large = new Uint8Array(5_000_000).fill(3);
  const digest = digestOf(large);
  const remote = session.store?.("local:/cache");
  expect(await remote?.size(digest, call)).toBeUndefined();
  await remote?.write(digest, large.length, bytesOf(large), call);
  expect(digestOf(blobs.get(digest) ?? "")).toBe(digest);
  await remote?.write(digest, large.length, bytesOf(large), call);
  const layout = session.layout?.("base");
  if (!layout) throw new Error("offered");
  expect(await layout.size(digest, call)).toBe(large.length);
  expect(digestOf(await readAll(layout.read(digest, call), 1 << 30, "blob"))).toBe(digest);
});

const result = {
  platforms: [
    {
      platform: { os: "linux", architecture: "arm64" },
      id: "linux/arm64",
      definition: undefined,
      config: { os: "linux", architecture: "arm64", rootfs: { type: "layers", diff_ids: [] } },
    },
  ],
  multiPlatform: true,
  metadata: { "frontend.said": "something" },
} as const;

test("exporters are chosen by whoever is told what was built, and their answers are told too", async () => {
  const told: unknown[] = [];
  const session = await throughServices([
    bind(exporter.ExporterDefinition, {
      async findExporters({ metadata, refs }) {
        told.push([...metadata.keys()].sort(), refs);
        return { exporters: [{ Type: "image", Attrs: new Map([["name", "app"]]) }] };
      },
      async finalizeExport({ ExporterResponse }) {
        told.push(Object.fromEntries(ExporterResponse));
        return {};
      },
    }),
  ]);
  const chosen = await session.findExporters?.(result, ["one"], call);
  expect(chosen).toEqual([{ type: "image", attrs: { name: "app" } }]);
  await session.finalizeExport?.({ "image.name": "app" }, call);
  expect(told).toEqual([
    ["containerimage.config/linux/arm64", "frontend.said", "refs.platforms"],
    ["one"],
    { "image.name": "app" },
  ]);
});

test("a session without anybody to choose exporters chooses none; what it says against them is an error", async () => {
  expect((await through({})).findExporters).toBeUndefined();
  const saying = (code: number) =>
    throughServices([
      bind(exporter.ExporterDefinition, {
        findExporters: async () => {
          throw new StatusError(code, "no exporters today");
        },
      }),
    ]);
  const silent = await saying(statusCodes.UNAVAILABLE);
  expect(await silent.findExporters?.(result, [], call)).toEqual([]);
  const against = await saying(statusCodes.PERMISSION_DENIED);
  await expect(against.findExporters?.(result, [], call)).rejects.toThrow("no exporters today");
});

test("a client that already has an image's archive is content; of files it is not", async () => {
  const refusing: Partial<Session> = {
    receive: async () => {
      throw new StatusError(statusCodes.ALREADY_EXISTS, "target already exists");
    },
  };
  const session = await through(refusing, ["oci", "tar"]);
  const send = (type: string) =>
    session.receive({ index: 0, type }, bytesOf(new Uint8Array(3)), call);
  await expect(send("oci")).resolves.toBeUndefined();
  await expect(send("tar")).rejects.toThrow("target already exists");
  const nobody = await throughServices([]);
  await expect(
    nobody.receive({ index: 0, type: "tar" }, bytesOf(new Uint8Array(3)), call),
  ).rejects.toThrow("FileSend/diffcopy not supported by the client");
});
