// What every snapshotter promises, as test cases.

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Bytes, digestOf, uncancelled } from "../../src/base/index.ts";
import { gzip, type TarHeader, tarEntries } from "../../src/formats/archive/index.ts";
import {
  type CollectableSnapshotter,
  type LazyLayer,
  loadSyscalls,
  type Snapshot,
  type SnapshotLayer,
  treeTar,
  withMounted,
} from "../../src/storage/snapshot/index.ts";
import { gathered, pieces, type TarSpec, tarOf } from "../kit/tar.ts";

export interface SnapshotterFixture {
  readonly snapshotter: CollectableSnapshotter;
  /** The same snapshots, as a new process sees them; the old snapshotter stays usable. */
  reopen(): Promise<CollectableSnapshotter>;
  /** Names of unfinished things. */
  leftovers(): readonly string[];
  dispose(): Promise<void>;
}

const call = uncancelled;

/** Runs the cases against the snapshotters that `open` makes. */
export function snapshotterContract(name: string, open: () => Promise<SnapshotterFixture>): void {
  describe(`snapshotter: ${name}`, () => {
    let fixture: SnapshotterFixture;
    let snapshotter: CollectableSnapshotter;
    beforeEach(async () => {
      fixture = await open();
      snapshotter = fixture.snapshotter;
    });
    afterEach(() => fixture.dispose());

    /** A snapshot of what `write` makes of its parent. */
    async function changed(
      parent: Snapshot | undefined,
      write: (dir: string) => void,
    ): Promise<Snapshot> {
      const active = await snapshotter.active(parent, call);
      await withMounted(await active.mounts(call), call, write);
      return active.commit(call);
    }

    const tarOfLayer = (layer: SnapshotLayer | undefined, clamp?: number) =>
      gathered(snapshotter.tar(layer!, clamp === undefined ? {} : { clamp }, call));

    const namesOfLayer = async (layer: SnapshotLayer | undefined) =>
      (await headersOf(await tarOfLayer(layer))).map(describeEntry);

    const show = async (snapshot: Snapshot) =>
      withMounted(await snapshot.mounts(call), call, listing);

    it("shows what was written into an empty file system", async () => {
      const snapshot = await changed(undefined, (dir) => {
        mkdirSync(`${dir}/etc`);
        writeFileSync(`${dir}/etc/conf`, "one");
        symlinkSync("conf", `${dir}/etc/link`);
      });
      expect(await show(snapshot)).toEqual(["etc/", "etc/conf=one", "etc/link->conf"]);
      expect(snapshot.layers).toHaveLength(1);
      expect(await namesOfLayer(snapshot.layers[0])).toEqual([
        "etc/",
        "etc/conf",
        "etc/link->conf",
      ]);
    });

    it("commits a snapshot that nobody wrote to", async () => {
      const empty = await (await snapshotter.active(undefined, call)).commit(call);
      expect(await show(empty)).toEqual([]);
      const base = await changed(empty, (dir) => writeFileSync(`${dir}/a`, "1"));
      const same = await (await snapshotter.active(base, call)).commit(call);
      expect(await show(same)).toEqual(["a=1"]);
      expect(await namesOfLayer(same.layers.at(-1))).toEqual([]);
    });

    it("keeps what changes apart from the parent", async () => {
      const base = await changed(undefined, (dir) => {
        mkdirSync(`${dir}/dir/sub`, { recursive: true });
        writeFileSync(`${dir}/dir/keep`, "keep");
        writeFileSync(`${dir}/dir/edit`, "before");
        writeFileSync(`${dir}/dir/gone`, "gone");
        writeFileSync(`${dir}/dir/sub/x`, "x");
      });
      const next = await changed(base, (dir) => {
        writeFileSync(`${dir}/dir/edit`, "after!");
        rmSync(`${dir}/dir/gone`);
        writeFileSync(`${dir}/new`, "new");
      });
      expect(await show(base)).toEqual([
        "dir/",
        "dir/edit=before",
        "dir/gone=gone",
        "dir/keep=keep",
        "dir/sub/",
        "dir/sub/x=x",
      ]);
      expect(await show(next)).toEqual([
        "dir/",
        "dir/edit=after!",
        "dir/keep=keep",
        "dir/sub/",
        "dir/sub/x=x",
        "new=new",
      ]);
      expect(next.layers.slice(0, 1)).toEqual(base.layers);
      expect(await namesOfLayer(next.layers[1])).toEqual([
        "dir/",
        "dir/edit",
        "dir/.wh.gone",
        "new",
      ]);
    });

    it("sees a directory that was removed and made again as a new one", async () => {
      const base = await changed(undefined, (dir) => {
        mkdirSync(`${dir}/d/inner`, { recursive: true });
        writeFileSync(`${dir}/d/old`, "old");
        writeFileSync(`${dir}/d/inner/deep`, "deep");
      });
      const next = await changed(base, (dir) => {
        rmSync(`${dir}/d`, { recursive: true });
        mkdirSync(`${dir}/d`);
        writeFileSync(`${dir}/d/new`, "new");
      });
      expect(await show(next)).toEqual(["d/", "d/new=new"]);
      const applied = await imageOf([
        await tarOfLayer(base.layers[0]),
        await tarOfLayer(next.layers[1]),
      ]);
      expect(await show(applied)).toEqual(["d/", "d/new=new"]);
    });

    it("replaces a file by a directory, a directory by a link, and a link by a file", async () => {
      const base = await changed(undefined, (dir) => {
        writeFileSync(`${dir}/file`, "f");
        mkdirSync(`${dir}/directory/x`, { recursive: true });
        symlinkSync("file", `${dir}/link`);
      });
      const next = await changed(base, (dir) => {
        for (const name of ["file", "directory", "link"])
          rmSync(`${dir}/${name}`, { recursive: true });
        mkdirSync(`${dir}/file`);
        writeFileSync(`${dir}/file/inside`, "i");
        symlinkSync("file", `${dir}/directory`);
        writeFileSync(`${dir}/link`, "now a file");
      });
      const expected = ["directory->file", "file/", "file/inside=i", "link=now a file"];
      expect(await show(next)).toEqual(expected);
      const applied = await imageOf([
        await tarOfLayer(base.layers[0]),
        await tarOfLayer(next.layers[1]),
      ]);
      expect(await show(applied)).toEqual(expected);
    });

    it("renames directories of the parent", async () => {
      const base = await changed(undefined, (dir) => {
        mkdirSync(`${dir}/from/sub`, { recursive: true });
        writeFileSync(`${dir}/from/sub/file`, "f");
      });
      const next = await changed(base, (dir) => {
        try {
          renameSync(`${dir}/from`, `${dir}/to`);
        } catch (error) {
          // What overlayfs answers; every mv copies then.
          expect(error).toMatchObject({ code: "EXDEV" });
          mkdirSync(`${dir}/to/sub`, { recursive: true });
          writeFileSync(`${dir}/to/sub/file`, "f");
          rmSync(`${dir}/from`, { recursive: true });
        }
      });
      expect(await show(next)).toEqual(["to/", "to/sub/", "to/sub/file=f"]);
      expect(await namesOfLayer(next.layers[1])).toEqual([
        ".wh.from",
        "to/",
        "to/sub/",
        "to/sub/file",
      ]);
    });

    it("is written to again after it was looked at", async () => {
      const base = await changed(undefined, (dir) => writeFileSync(`${dir}/a`, "1"));
      const active = await snapshotter.active(base, call);
      for (const step of ["b", "c"]) {
        await withMounted(await active.mounts(call), call, (dir) =>
          writeFileSync(`${dir}/${step}`, step),
        );
      }
      expect(await show(await active.commit(call))).toEqual(["a=1", "b=b", "c=c"]);
    });

    it("leaves out directories in which nothing came of it, and no others", async () => {
      const base = await changed(undefined, (dir) => {
        for (const name of ["etc", "gone/deep", "mode", "kept/sub", "emptied"])
          mkdirSync(`${dir}/${name}`, { recursive: true });
        writeFileSync(`${dir}/emptied/file`, "1");
      });
      const same = await changed(base, (dir) => {
        for (const name of ["etc", "gone/deep"]) {
          writeFileSync(`${dir}/${name}/stub`, "");
          rmSync(`${dir}/${name}/stub`);
        }
      });
      expect(await namesOfLayer(same.layers[1])).toEqual([]);
      const other = await changed(base, (dir) => {
        chmodSync(`${dir}/mode`, 0o700);
        writeFileSync(`${dir}/kept/sub/stub`, "");
        rmSync(`${dir}/kept/sub/stub`);
        writeFileSync(`${dir}/kept/file`, "f");
        rmSync(`${dir}/emptied`, { recursive: true });
        mkdirSync(`${dir}/emptied`);
        mkdirSync(`${dir}/new`);
      });
      const names = await namesOfLayer(other.layers[1]);
      expect(names.filter((name) => !name.includes(".wh."))).toEqual([
        "emptied/",
        "kept/",
        "kept/file",
        "mode/",
        "new/",
      ]);
      expect(await show(other)).toEqual([
        "emptied/",
        "etc/",
        "gone/",
        "gone/deep/",
        "kept/",
        "kept/file=f",
        "kept/sub/",
        "mode/",
        "new/",
      ]);
    });

    it("throws away what is not committed", async () => {
      const base = await changed(undefined, (dir) => writeFileSync(`${dir}/a`, "1"));
      const active = await snapshotter.active(base, call);
      await withMounted(await active.mounts(call), call, (dir) => writeFileSync(`${dir}/b`, "2"));
      expect(fixture.leftovers()).not.toEqual([]);
      await active[Symbol.asyncDispose]();
      expect(fixture.leftovers()).toEqual([]);
      expect(await show(base)).toEqual(["a=1"]);
    });

    it("finds snapshots again after a restart", async () => {
      const base = await changed(undefined, (dir) => writeFileSync(`${dir}/a`, "1"));
      const next = await changed(base, (dir) => writeFileSync(`${dir}/b`, "2"));
      await using again = await fixture.reopen();
      const found = await again.open(next.id, call);
      expect(found?.layers).toEqual(next.layers);
      expect(await withMounted(await found!.mounts(call), call, listing)).toEqual(["a=1", "b=2"]);
      expect(await again.open("0".repeat(64), call)).toBeUndefined();
      expect(await again.open("../../etc/passwd", call)).toBeUndefined();
    });

    it("merges by laying one over the other", async () => {
      const one = await changed(undefined, (dir) => {
        mkdirSync(`${dir}/d`);
        writeFileSync(`${dir}/d/one`, "1");
        writeFileSync(`${dir}/both`, "from one");
      });
      const two = await changed(undefined, (dir) => {
        mkdirSync(`${dir}/d`);
        writeFileSync(`${dir}/d/two`, "2");
        writeFileSync(`${dir}/both`, "from two");
      });
      const merged = await snapshotter.merge([one, two], call);
      expect(await show(merged)).toEqual(["both=from two", "d/", "d/one=1", "d/two=2"]);
      expect(merged.layers).toEqual([...one.layers, ...two.layers]);
    });

    it("merges two states of one base, the later winning where they differ", async () => {
      const base = await changed(undefined, (dir) => {
        writeFileSync(`${dir}/edited`, "base");
        writeFileSync(`${dir}/removed`, "base");
      });
      const one = await changed(base, (dir) => {
        writeFileSync(`${dir}/edited`, "by one");
        rmSync(`${dir}/removed`);
        writeFileSync(`${dir}/one`, "1");
      });
      const two = await changed(base, (dir) => writeFileSync(`${dir}/two`, "2"));
      const merged = await snapshotter.merge([one, two], call);
      expect(await show(merged)).toEqual(["edited=base", "one=1", "removed=base", "two=2"]);
    });

    it("gives the difference to a state that it grew from as its last layers", async () => {
      const base = await changed(undefined, (dir) => writeFileSync(`${dir}/a`, "1"));
      const next = await changed(base, (dir) => {
        writeFileSync(`${dir}/b`, "2");
        rmSync(`${dir}/a`);
      });
      const diff = await snapshotter.diff(base, next, call);
      expect(diff?.layers).toEqual(next.layers.slice(1));
      expect(await show(diff!)).toEqual(["b=2"]);
      expect(await snapshotter.diff(next, next, call)).toBeUndefined();
      expect(await snapshotter.diff(undefined, undefined, call)).toBeUndefined();
      expect((await snapshotter.diff(undefined, next, call))?.layers).toEqual(next.layers);
      const other = await changed(undefined, (dir) => {
        writeFileSync(`${dir}/a`, "other a");
        writeFileSync(`${dir}/c`, "3");
      });
      expect(await show(await snapshotter.merge([other, diff!], call))).toEqual(["b=2", "c=3"]);
    });

    it("packs a difference that removes something, though its directories may list that", async () => {
      const base = await changed(undefined, (dir) => {
        mkdirSync(`${dir}/d`);
        writeFileSync(`${dir}/d/gone`, "1");
        writeFileSync(`${dir}/d/stays`, "2");
      });
      const next = await changed(base, (dir) => {
        rmSync(`${dir}/d/gone`);
        writeFileSync(`${dir}/d/new`, "3");
      });
      // Made by comparing, not by an overlay that knew what was below it.
      const diff = await snapshotter.diff(next, base, call);
      const more = await changed(diff, (dir) => mkdirSync(`${dir}/more`));
      const names = await withMounted(await more.mounts(call), call, async (root) => {
        const found: string[] = [];
        for await (const { header } of tarEntries(treeTar(root, {}, call), call))
          found.push(header.path);
        return found;
      });
      expect(names).toEqual(["d", "d/gone", "more"]);
    });

    it("compares states that did not grow from each other", async () => {
      const time = 1_700_000_000;
      const write = (dir: string, files: Record<string, string>) => {
        for (const [path, text] of Object.entries(files)) {
          mkdirSync(dirname(`${dir}/${path}`), { recursive: true });
          writeFileSync(`${dir}/${path}`, text);
          lutimesSync(`${dir}/${path}`, time, time);
        }
      };
      const one = await changed(undefined, (dir) =>
        write(dir, { "d/same": "s", "d/other": "aaa", "d/gone": "g", "e/x": "x" }),
      );
      const two = await changed(undefined, (dir) =>
        write(dir, { "d/same": "s", "d/other": "bbb", "d/new": "n", "e/x": "x" }),
      );
      const diff = await snapshotter.diff(one, two, call);
      expect(await namesOfLayer(diff?.layers[0])).toEqual(["d/", "d/.wh.gone", "d/new", "d/other"]);
      expect(await show(await snapshotter.merge([one, diff!], call))).toEqual([
        "d/",
        "d/new=n",
        "d/other=bbb",
        "d/same=s",
        "e/",
        "e/x=x",
      ]);
      const twin = await changed(undefined, (dir) =>
        write(dir, { "d/same": "s", "d/other": "aaa", "d/gone": "g", "e/x": "x" }),
      );
      expect(await snapshotter.diff(one, twin, call)).toBeUndefined();
    });

    // Images ------------------------------------------------------------------------------------------------------

    let fetches: string[];
    beforeEach(() => {
      fetches = [];
    });

    async function layerOf(tar: Uint8Array, label = ""): Promise<LazyLayer> {
      const blob = await gathered(gzip(pieces(tar), { level: 1 }));
      const descriptor = {
        mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
        digest: digestOf(blob),
        size: blob.length,
      };
      return {
        descriptor,
        diffId: digestOf(tar),
        fetch(): Bytes {
          fetches.push(label);
          return pieces(blob, 1_000);
        },
      };
    }

    async function imageOf(tars: readonly (Uint8Array | readonly TarSpec[])[]): Promise<Snapshot> {
      const layers = tars.map((tar, at) =>
        layerOf(tar instanceof Uint8Array ? tar : tarOf(tar), `${at}`),
      );
      return snapshotter.image(await Promise.all(layers), call);
    }

    it("fetches the layers of an image when their files are needed, and once", async () => {
      const image = await imageOf([[{ path: "a", data: "1" }], [{ path: "b", data: "2" }]]);
      const twin = image.clone();
      expect(fetches).toEqual([]);
      expect(image.layers.map((layer) => layer.blob?.diffId)).toHaveLength(2);
      const [one, two] = await Promise.all([show(image), show(twin)]);
      expect(one).toEqual(["a=1", "b=2"]);
      expect(two).toEqual(one);
      expect(fetches.sort()).toEqual(["0", "1"]);
      expect(await show(image)).toEqual(one);
      expect(fetches).toHaveLength(2);
    });

    it("shows an image without layers as an empty file system", async () => {
      const image = await imageOf([]);
      expect(await show(image)).toEqual([]);
      expect(await show(await changed(image, (dir) => writeFileSync(`${dir}/a`, "1")))).toEqual([
        "a=1",
      ]);
    });

    it("opens an image that was never fetched, and asks for its layers when it has been told where they are", async () => {
      const image = await imageOf([[{ path: "a", data: "1" }]]);
      await using again = await fixture.reopen();
      const found = await again.open(image.id, call);
      expect(found?.layers).toEqual(image.layers);
      await expect(found!.mounts(call)).rejects.toMatchObject({ code: "SNAPSHOT_FAILED" });
    });

    it("refuses a layer that is not what the image promises, and forgets it", async () => {
      const good = await layerOf(tarOf([{ path: "a", data: "1" }]));
      const bad = { ...good, diffId: digestOf("something else") };
      const image = await snapshotter.image([bad], call);
      await expect(image.mounts(call)).rejects.toMatchObject({ code: "BLOB_CORRUPT" });
      expect(fixture.leftovers()).toEqual([]);
    });

    it("applies whiteouts and opaque directories to the layers below, and never shows them", async () => {
      const image = await imageOf([
        [
          { path: "d/" },
          { path: "d/old", data: "o" },
          { path: "e/" },
          { path: "e/x", data: "x" },
          { path: "f", data: "f" },
        ],
        [
          { path: "d/" },
          { path: "d/new", data: "n" },
          { path: "d/.wh..wh..opq" },
          { path: "e/" },
          { path: "e/.wh.x" },
          { path: ".wh.f" },
          { path: ".wh.nothing" },
        ],
      ]);
      expect(await show(image)).toEqual(["d/", "d/new=n", "e/"]);
      const alone = await imageOf([[{ path: "a", data: "1" }, { path: ".wh.b" }]]);
      expect(await show(alone)).toEqual(["a=1"]);
    });

    it("hides everything below an opaque root", async () => {
      const image = await imageOf([
        [{ path: "a", data: "1" }],
        [{ path: ".wh..wh..opq" }, { path: "b", data: "2" }],
        [{ path: "c", data: "3" }],
      ]);
      expect(await show(image)).toEqual(["b=2", "c=3"]);
    });

    it("keeps the looks of directories that a layer only passes through", async () => {
      const image = await imageOf([
        [
          { path: "./", mode: 0o751, uid: 5 },
          { path: "tmp/", mode: 0o1777, uid: 7, gid: 8, mtime: 1_111_111_111_000_000_000n },
          { path: "tmp/sub/", mode: 0o700, uid: 9 },
          { path: "tmp/sub/a", data: "a" },
        ],
        [
          { path: "tmp/sub/b", data: "b" },
          { path: "fresh/c", data: "c" },
        ],
        [{ path: "tmp/d", data: "d" }],
      ]);
      const looks = await withMounted(await image.mounts(call), call, (dir) =>
        ["", "tmp", "tmp/sub", "fresh"].map((path) => {
          const { mode, uid, gid, mtimeMs } = lstatSync(`${dir}/${path}`);
          return [
            path,
            (mode & 0o7777).toString(8),
            uid,
            gid,
            path === "tmp" ? mtimeMs : undefined,
          ];
        }),
      );
      expect(looks).toEqual([
        ["", "751", 5, 0, undefined],
        ["tmp", "1777", 7, 8, 1_111_111_111_000],
        ["tmp/sub", "700", 9, 0, undefined],
        ["fresh", "755", 0, 0, undefined],
      ]);
      expect(await show(image)).toEqual([
        "fresh/",
        "fresh/c=c",
        "tmp/",
        "tmp/d=d",
        "tmp/sub/",
        "tmp/sub/a=a",
        "tmp/sub/b=b",
      ]);
    });

    it("starts an active snapshot with the looks of its parent's root", async () => {
      const image = await imageOf([
        [
          { path: "./", mode: 0o711, uid: 3, gid: 4 },
          { path: "a", data: "1" },
        ],
      ]);
      const next = await changed(image, (dir) => writeFileSync(`${dir}/b`, "2"));
      const { mode, uid, gid } = await withMounted(await next.mounts(call), call, (dir) =>
        lstatSync(dir),
      );
      expect([mode & 0o7777, uid, gid]).toEqual([0o711, 3, 4]);
    });

    // Layers as archives ------------------------------------------------------------------------------------------

    it("writes hard links, modes, owners, times, attributes and devices, and reads them back", async () => {
      const capability = new Uint8Array([
        1, 0, 0, 2, 0, 0x24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
      ]);
      const snapshot = await changed(undefined, (dir) => {
        writeFileSync(`${dir}/first`, "linked");
        linkSync(`${dir}/first`, `${dir}/second`);
        writeFileSync(`${dir}/tool`, "tool");
        lchownSync(`${dir}/tool`, 3_000_000, 70_000);
        chmodSync(`${dir}/tool`, 0o4755);
        loadSyscalls().lsetxattr(`${dir}/tool`, "security.capability", capability);
        loadSyscalls().mknod(`${dir}/null`, 0o020666, 1, 3);
        loadSyscalls().mknod(`${dir}/pipe`, 0o010640, 0, 0);
        symlinkSync("x".repeat(300), `${dir}/${"é".repeat(100)}`);
        for (const name of readdirSync(dir))
          lutimesSync(`${dir}/${name}`, 1_600_000_000, 1_600_000_000);
      });
      const tar = await tarOfLayer(snapshot.layers[0]);
      const headers = await headersOf(tar);
      expect(headers.map(describeEntry)).toEqual([
        "first",
        "null c1,3",
        "pipe p",
        "second=>first",
        "tool",
        `${"é".repeat(100)}->${"x".repeat(300)}`,
      ]);
      expect(
        headers.every(
          (header) => header.mtime === 1_600_000_000_000_000_000n && header.uname === "",
        ),
      ).toBe(true);
      expect(headers[4]).toMatchObject({ mode: 0o4755, uid: 3_000_000, gid: 70_000 });
      expect(headers[4]?.xattrs?.get("security.capability")).toEqual(capability);
      const image = await imageOf([tar]);
      const again = await changed(await imageOf([]), () => {});
      expect(await snapshotter.diff(image, snapshot, call)).toBeUndefined();
      expect(await tarOfLayer(image.layers[0])).toEqual(tar);
      expect(again.layers).toHaveLength(1);
    });

    it("gives the same bytes every time, with later times brought down to the clamp", async () => {
      const write = (dir: string, names: readonly string[]) => {
        for (const name of names) writeFileSync(`${dir}/${name}`, name);
        lutimesSync(`${dir}/a`, 500, 500);
        lutimesSync(`${dir}/b`, 5_000_000_000, 5_000_000_000);
      };
      const one = await changed(undefined, (dir) => write(dir, ["a", "b", "B", "a.c", "a-c"]));
      const two = await changed(undefined, (dir) => write(dir, ["a-c", "B", "a.c", "b", "a"]));
      const [first, second] = [
        await tarOfLayer(one.layers[0], 1_000),
        await tarOfLayer(two.layers[0], 1_000),
      ];
      expect(hash(first)).toBe(hash(second));
      const headers = await headersOf(first);
      expect(headers.map((header) => [header.path, header.mtime / 1_000_000_000n])).toEqual([
        ["B", 1000n],
        ["a", 500n],
        ["a-c", 1000n],
        ["a.c", 1000n],
        ["b", 1000n],
      ]);
    });

    it("keeps names that are not UTF-8", async () => {
      const name = "caf\udce9";
      const image = await imageOf([[{ path: name, data: "latin" }]]);
      await show(image);
      const headers = await headersOf(await tarOfLayer(image.layers[0]));
      expect(headers.map((header) => header.path)).toEqual([name]);
      const next = await changed(image, (dir) =>
        rmSync(Buffer.concat([Buffer.from(`${dir}/caf`), Buffer.of(0xe9)])),
      );
      expect(await show(next)).toEqual([]);
      expect(await namesOfLayer(next.layers[1])).toEqual([`.wh.${name}`]);
    });

    it("stacks three hundred layers", async () => {
      const tars = Array.from({ length: 300 }, (_, at) => [{ path: `f${at}`, data: `${at}` }]);
      const image = await imageOf(tars);
      expect(await show(image)).toHaveLength(300);
      const next = await changed(image, (dir) => rmSync(`${dir}/f7`));
      expect(await show(next)).toHaveLength(299);
    });

    // Collection --------------------------------------------------------------------------------------------------

    it("deletes what nobody needs, and nothing else", async () => {
      const base = await changed(undefined, (dir) => writeFileSync(`${dir}/a`, "1"));
      const held = await changed(base, (dir) => writeFileSync(`${dir}/b`, "2"));
      const kept = await changed(base, (dir) => writeFileSync(`${dir}/c`, "3"));
      const unused = await changed(base, (dir) => writeFileSync(`${dir}/d`, "4"));
      await base[Symbol.asyncDispose]();
      await kept[Symbol.asyncDispose]();
      await unused[Symbol.asyncDispose]();
      const removed = await snapshotter.removeUnused(new Set([kept.id]), call);
      expect(removed).toContain(unused.layers[1]?.id);
      expect(removed).not.toContain(base.layers[0]?.id);
      expect(await show(held)).toEqual(["a=1", "b=2"]);
      expect(await snapshotter.open(unused.id, call)).toBeUndefined();
      const reopened = await snapshotter.open(kept.id, call);
      expect(await show(reopened!)).toEqual(["a=1", "c=3"]);
    });

    it("keeps what was made to show a state as long as the state, and no longer", async () => {
      const base = await changed(undefined, (dir) => writeFileSync(`${dir}/a`, "1"));
      const top = await changed(base, (dir) => writeFileSync(`${dir}/b`, "2"));
      expect(await show(top)).toEqual(["a=1", "b=2"]);
      await base[Symbol.asyncDispose]();
      await snapshotter.removeUnused(new Set(), call);
      expect(await show(top)).toEqual(["a=1", "b=2"]);
      await top[Symbol.asyncDispose]();
      await snapshotter.removeUnused(new Set(), call);
      expect(snapshotter.contents().layers).toEqual([]);
    });

    it("does not let go before the last reference", async () => {
      const one = await changed(undefined, (dir) => writeFileSync(`${dir}/a`, "1"));
      const two = one.clone();
      await one[Symbol.asyncDispose]();
      await one[Symbol.asyncDispose]();
      expect(await snapshotter.removeUnused(new Set(), call)).toEqual([]);
      expect(await show(two)).toEqual(["a=1"]);
      await two[Symbol.asyncDispose]();
      expect(await snapshotter.removeUnused(new Set(), call)).toContain(two.layers[0]?.id);
    });
  });
}

async function headersOf(tar: Uint8Array): Promise<TarHeader[]> {
  const headers: TarHeader[] = [];
  for await (const { header } of tarEntries(pieces(tar), call)) headers.push(header);
  return headers;
}

function describeEntry(header: TarHeader): string {
  switch (header.type) {
    case "directory":
      return `${header.path}/`;
    case "symlink":
      return `${header.path}->${header.linkname}`;
    case "hardlink":
      return `${header.path}=>${header.linkname}`;
    case "char-device":
      return `${header.path} c${header.devMajor},${header.devMinor}`;
    case "fifo":
      return `${header.path} p`;
    default:
      return header.path;
  }
}

/** Every file below `root` in order, with contents. */
function listing(root: string): string[] {
  const out: string[] = [];
  const walk = (path: string) => {
    for (const name of readdirSync(`${root}/${path}`).sort()) {
      const child = path === "" ? name : `${path}/${name}`;
      const stat = lstatSync(`${root}/${child}`, { throwIfNoEntry: false });
      if (stat === undefined) out.push(`${child}?`);
      else if (stat.isDirectory()) {
        out.push(`${child}/`);
        walk(child);
      } else if (stat.isSymbolicLink()) out.push(`${child}->${readlinkSync(`${root}/${child}`)}`);
      else if (stat.isFile()) out.push(`${child}=${readFileSync(`${root}/${child}`, "utf8")}`);
      else out.push(`${child} special`);
    }
  };
  if (existsSync(root)) walk("");
  return out;
}

function hash(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
