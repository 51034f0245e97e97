// The store after the machine stopped in the middle of its work: a file system that is shut down as a power cut would.
import { execFileSync } from "node:child_process";
import {
  closeSync,
  cpSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { uncancelled as call } from "../../src/base/index.ts";
import {
  type CollectableSnapshotter,
  openCopySnapshotter,
  type Snapshot,
  withMounted,
} from "../../src/storage/snapshot/index.ts";
import { describeWith } from "../kit/needs.ts";

/** `EXT4_IOC_SHUTDOWN` without writing out the journal. */
const shutdown = 0x8004587d;
const withoutJournal = Uint32Array.of(2);

const text = "the layer's own words\n".repeat(5000);

describeWith(["root", "loop"], "after a power cut", () => {
  let directory: string;
  let image: string;
  let disk: string;
  let store: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kiln-power-"));
    disk = join(directory, "disk");
    store = join(disk, "store");
    mkdirSync(disk);
    image = join(directory, "image");
    execFileSync("truncate", ["-s", "64M", image]);
    execFileSync("mkfs.ext4", ["-q", "-F", image]);
    mount();
  });
  afterEach(async () => {
    await unmount();
    rmSync(directory, { recursive: true });
  });

  // Others on the machine may have the file system in sight for a while, and so has what writes it out.
  const unmount = () => vi.waitFor(() => execFileSync("umount", [disk], { stdio: "ignore" }));
  const mount = () => execFileSync("mount", ["-o", "loop", image, disk]);

  /** Loses whatever was not on the disk; the machine that starts again is another one. */
  async function cutPower(running?: CollectableSnapshotter): Promise<void> {
    const koffi = createRequire(import.meta.url)("koffi");
    const ioctl = koffi.load(null).func("int ioctl(int fd, unsigned long what, void *flags)");
    const file = openSync(disk, "r");
    expect(ioctl(file, shutdown, withoutJournal)).toBe(0);
    closeSync(file);
    // Nothing that is done from now on comes to the disk.
    await Promise.resolve(running?.[Symbol.asyncDispose]()).catch(() => undefined);
    await unmount();
    cpSync(image, `${image}-found`);
    image = `${image}-found`;
    mount();
    const notes = join(store, "unflushed");
    for (const name of existsSync(notes) ? readdirSync(notes) : [])
      renameSync(join(notes, name), join(notes, name.replace(/^[^-]*/, "f".repeat(32))));
  }

  /** As the database's commit does, which makes every name that was given before it durable. */
  function commitJournal(): void {
    const file = openSync(join(disk, "record"), "w");
    writeFileSync(file, "a step is cached");
    fsyncSync(file);
    closeSync(file);
  }

  async function layerOf(snapshotter: CollectableSnapshotter): Promise<Snapshot> {
    await using active = await snapshotter.active(undefined, call);
    await withMounted(await active.mounts(call), call, (at) =>
      writeFileSync(join(at, "file"), text),
    );
    return await active.commit(call);
  }

  const layerFile = ({ layers }: Snapshot) => join(store, "layers", layers[0]?.id ?? "", "fs/file");

  it("layers that the disk has in part are gone, and what was cached is built again", async () => {
    const before = await openCopySnapshotter({ dir: store });
    const snapshot = await layerOf(before);
    commitJournal();
    await cutPower(before);
    // What would have been taken for the layer: its name is there, its words are not.
    expect(readFileSync(layerFile(snapshot), "utf8")).not.toBe(text);
    await using after = await openCopySnapshotter({ dir: store });
    expect(await after.open(snapshot.id, call)).toBeUndefined();
    expect(after.contents().layers).toEqual([]);
    expect(after.check()).toEqual([]);
    expect(readdirSync(join(store, "unflushed"))).toEqual([]);
    await using again = await layerOf(after);
    expect(readFileSync(layerFile(again), "utf8")).toBe(text);
  });

  it("layers of a finished build are there, whole", async () => {
    const before = await openCopySnapshotter({ dir: store });
    const snapshot = await layerOf(before);
    const { id } = snapshot;
    commitJournal();
    await before[Symbol.asyncDispose]();
    await expect.poll(() => readdirSync(join(store, "unflushed"))).toEqual([]);
    // Or else the notes are back, and the layers gone in spite of everything.
    commitJournal();
    await cutPower();
    expect(readFileSync(layerFile(snapshot), "utf8")).toBe(text);
    await using after = await openCopySnapshotter({ dir: store });
    await using found = await after.open(id, call);
    expect(found?.id).toBe(id);
  });

  it("a layer is noted before it can be seen, and believed again only when the disk has it", async () => {
    const snapshotter = await openCopySnapshotter({ dir: store });
    await using snapshot = await layerOf(snapshotter);
    const notes = readdirSync(join(store, "unflushed"));
    expect(notes).toEqual([expect.stringMatching(new RegExp(`-${snapshot.layers[0]?.id}$`))]);
    // Stopped, but not by a power cut: the layer is there, and stays so for the next ones.
    await using other = await openCopySnapshotter({ dir: store });
    await using found = await other.open(snapshot.id, call);
    expect(found).toBeDefined();
    await snapshotter[Symbol.asyncDispose]();
    await expect.poll(() => readdirSync(join(store, "unflushed"))).toEqual([]);
  });
});
