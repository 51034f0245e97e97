// Files of real snapshots and of the asking side's directories, through the exporters that deliver files.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Attrs, ExportTarget, Session } from "../../src/api/index.ts";
import type { Bytes } from "../../src/base/index.ts";
import {
  createExporters,
  type SolvedPlatform,
  type SolvedResult,
} from "../../src/engine/exporter/index.ts";
import {
  contentDigest,
  createLocalSource,
  directoryContent,
  hostTreeContent,
} from "../../src/engine/source/index.ts";
import { readTar, type TarHeader } from "../../src/formats/archive/index.ts";
import { openContentStore } from "../../src/storage/content/index.ts";
import {
  openOverlaySnapshotter,
  type Snapshot,
  type Snapshotter,
  withMounted,
} from "../../src/storage/snapshot/index.ts";
import { exporterParts, silentCall, solvedPlatform, solvedResult } from "../kit/exporting.ts";
import { describeWith } from "../kit/needs.ts";

const call = silentCall;
const platforms = [
  { os: "linux", architecture: "amd64" },
  { os: "linux", architecture: "arm", variant: "v7" },
] as const;

describeWith(["root"], "files of snapshots", () => {
  let root: string;
  let snapshotter: Snapshotter;
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), "kiln-files-"));
    snapshotter = await openOverlaySnapshotter({ dir: join(root, "snapshots") });
  });
  afterAll(async () => {
    await snapshotter[Symbol.asyncDispose]();
    rmSync(root, { recursive: true, force: true });
  });

  async function snapshotOf(
    files: Readonly<Record<string, string>>,
    parent?: Snapshot,
  ): Promise<Snapshot> {
    await using active = await snapshotter.active(parent, call);
    await withMounted(await active.mounts(call), call, (directory) => {
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(join(directory, path, ".."), { recursive: true });
        writeFileSync(join(directory, path), text);
      }
    });
    return await active.commit(call);
  }

  function solved(index: 0 | 1, snapshot: Snapshot | undefined): SolvedPlatform {
    return { ...solvedPlatform(platforms[index], []), snapshot };
  }

  /** Paths with contents (of files) as the receiver gets them. */
  async function deliver(type: "local" | "tar", result: SolvedResult, attrs: Attrs = {}) {
    const content = await openContentStore(join(root, "content"));
    const exporter = createExporters(exporterParts(root, content, snapshotter)).get(type);
    const found: Record<string, string> = {};
    const headers: TarHeader[] = [];
    const session = {
      async receive(_target: ExportTarget, tar: Bytes) {
        let path = "";
        const sink = {
          entry(header: TarHeader) {
            headers.push(header);
            path = header.path;
            found[path] = "";
          },
          data(chunk: Uint8Array) {
            found[path] += new TextDecoder().decode(chunk);
          },
          end() {},
        };
        await readTar(tar, sink, call);
      },
    } as Partial<Session> as Session;
    await using prepared = await exporter!.prepare(result, attrs, session, call);
    await prepared.finish(call);
    return { found, headers };
  }

  test("one platform's files come as they are, upper layers over lower ones", async () => {
    await using base = await snapshotOf({ "etc/a": "old", "bin/tool": "tool" });
    await using top = await snapshotOf({ "etc/a": "new", b: "b" }, base);
    const { found } = await deliver("local", solvedResult(solved(0, top)));
    expect(found).toEqual({ b: "b", bin: "", "bin/tool": "tool", etc: "", "etc/a": "new" });
  });

  test("several platforms get a directory each", async () => {
    await using one = await snapshotOf({ app: "amd64" });
    await using two = await snapshotOf({ app: "armv7" });
    const { found } = await deliver("tar", solvedResult(solved(0, one), solved(1, two)));
    expect(found).toEqual({
      linux_amd64: "",
      "linux_amd64/app": "amd64",
      linux_arm_v7: "",
      "linux_arm_v7/app": "armv7",
    });
  });

  test("without a split, files of one platform never overwrite another's", async () => {
    await using one = await snapshotOf({ "bin/app-amd64": "1", "bin/x": "1" });
    await using two = await snapshotOf({ "bin/app-armv7": "2" });
    await using three = await snapshotOf({ "bin/x": "3" });
    const attrs = { "platform-split": "false" };
    const { found } = await deliver("local", solvedResult(solved(0, one), solved(1, two)), attrs);
    expect(Object.keys(found).toSorted()).toEqual([
      "bin",
      "bin/app-amd64",
      "bin/app-armv7",
      "bin/x",
    ]);
    const clash = deliver("local", solvedResult(solved(0, one), solved(1, three)), attrs);
    await expect(clash).rejects.toMatchObject({ code: "EXPORT_FAILED" });
  });

  test("times are real, unless an epoch is named", async () => {
    await using one = await snapshotOf({ app: "1" });
    const result = solvedResult(solved(0, one));
    const now = BigInt(Date.now()) * 1_000_000n;
    const real = (await deliver("local", result)).headers[0]!.mtime;
    expect(now - real).toBeLessThan(3_600_000_000_000n);
    const fixed = await deliver("local", result, { "source-date-epoch": "7" });
    expect(fixed.headers[0]!.mtime).toBe(7_000_000_000n);
  });

  test("scratch is an archive without entries", async () => {
    expect((await deliver("tar", solvedResult(solved(0, undefined)))).found).toEqual({});
  });

  async function contextOf(directory: string): Promise<Snapshot> {
    const source = createLocalSource({ directory: join(root, "sources"), snapshotter });
    const session = { directory: () => directory } as Partial<Session> as Session;
    const id = { scheme: "local", rest: "context", attrs: {}, platform: platforms[0] };
    const snapshot = await (await source.resolve(id, session, call)).fetch(call);
    if (!snapshot?.tree) throw new Error("a context is a tree");
    return snapshot;
  }

  function writeContext(name: string): string {
    const directory = join(root, name);
    mkdirSync(join(directory, "dir"), { recursive: true });
    writeFileSync(join(directory, "dir/file"), "text");
    chmodSync(join(directory, "dir/file"), 0o600);
    symlinkSync("dir/file", join(directory, "link"));
    return directory;
  }

  test("a directory of the asking side can be mounted: it is copied once, with modes, links and times", async () => {
    const directory = writeContext("context-1");
    await using snapshot = await contextOf(directory);
    const [first, second] = await Promise.all([snapshot.mounts(call), snapshot.mounts(call)]);
    expect(second).toEqual(first);
    await withMounted(first, call, (mounted) => {
      expect(readFileSync(join(mounted, "dir/file"), "utf8")).toBe("text");
      expect(statSync(join(mounted, "dir/file")).mode & 0o777).toBe(0o600);
      expect(readlinkSync(join(mounted, "link"))).toBe("dir/file");
    });
    expect(snapshot.layers).toHaveLength(1);
  });

  test("a mounted copy has the digest of the tree that it was made from", async () => {
    await using snapshot = await contextOf(writeContext("context-2"));
    const all = { selectors: [{ path: "/" }] };
    const expected = await contentDigest(hostTreeContent(snapshot.tree!), all, call);
    await withMounted(await snapshot.mounts(call), call, async (mounted) => {
      // The root of a context has neither owner nor mode.
      const view = { ...directoryContent(mounted), bareRoot: true };
      expect(await contentDigest(view, all, call)).toBe(expected);
    });
  });

  test("a file that changed since it was looked at is not copied silently", async () => {
    const directory = writeContext("context-3");
    await using snapshot = await contextOf(directory);
    writeFileSync(join(directory, "dir/file"), "TEXT");
    await expect(snapshot.mounts(call)).rejects.toMatchObject({ code: "CONTEXT_CHANGED" });
  });

  test("a directory of the asking side can be exported", async () => {
    await using snapshot = await contextOf(writeContext("context-4"));
    const { found } = await deliver("local", solvedResult(solved(0, snapshot)));
    expect(found).toEqual({ dir: "", "dir/file": "text", link: "" });
  });
});
