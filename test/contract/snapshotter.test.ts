// Both snapshotters against the snapshotter contract.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestOf, uncancelled } from "../../src/base/index.ts";
import {
  type CollectableSnapshotter,
  openCopySnapshotter,
  openOverlaySnapshotter,
  probeOverlay,
  withMounted,
} from "../../src/storage/snapshot/index.ts";
import { useOldMountCall } from "../../src/storage/snapshot/mount.ts";
import { gathered, pieces, tarOf } from "../kit/tar.ts";
import { snapshotterContract } from "./snapshotter.ts";

const isRoot = process.geteuid?.() === 0;
const noOverlay = isRoot ? probeOverlay(mkdtempSync(join(tmpdir(), "kiln-probe-"))) : "not root";

function suite(
  name: string,
  open: (options: { readonly dir: string }) => Promise<CollectableSnapshotter>,
): void {
  snapshotterContract(name, async () => {
    const dir = mkdtempSync(join(tmpdir(), "kiln-snapshots-"));
    mkdirSync(join(dir, "store"));
    const snapshotter = await open({ dir: join(dir, "store") });
    return {
      snapshotter,
      reopen: () => open({ dir: join(dir, "store") }),
      leftovers: () => readdirSync(join(dir, "store/active")),
      async dispose() {
        await snapshotter[Symbol.asyncDispose]();
        rmSync(dir, { recursive: true });
      },
    };
  });
}

if (noOverlay === undefined) {
  suite("overlay", openOverlaySnapshotter);
  describe("snapshotter: overlay, mounted as on kernels before 6.7", () => {
    beforeEach(() => useOldMountCall(true));
    afterEach(() => useOldMountCall(false));

    it("shows and takes changes on top of two hundred layers", async () => {
      const dir = mkdtempSync(join(tmpdir(), "kiln,old:mounts-"));
      const snapshotter = await openOverlaySnapshotter({ dir });
      try {
        const tars = Array.from({ length: 200 }, (_, at) => tarOf([{ path: `f${at}`, data: "x" }]));
        const layers = tars.map((tar) => {
          const descriptor = { mediaType: "", digest: digestOf(tar), size: tar.length };
          return { descriptor, diffId: digestOf(tar), fetch: () => pieces(tar) };
        });
        const image = await snapshotter.image(layers, uncancelled);
        const active = await snapshotter.active(image, uncancelled);
        await withMounted(await active.mounts(uncancelled), uncancelled, (at) =>
          rmSync(join(at, "f7")),
        );
        const next = await active.commit(uncancelled);
        const names = await withMounted(await next.mounts(uncancelled), uncancelled, (at) =>
          readdirSync(at),
        );
        expect(names).toHaveLength(199);
      } finally {
        await snapshotter[Symbol.asyncDispose]();
        rmSync(dir, { recursive: true });
      }
    });
  });

  describe("a store that several processes use", () => {
    let dir: string;
    beforeEach(() => {
      dir = mkdtempSync(join(tmpdir(), "kiln-snapshots-"));
    });
    afterEach(() => rmSync(dir, { recursive: true }));
    const start = (mode: string) =>
      spawn(
        process.execPath,
        ["--import", "tsx", join(import.meta.dirname, "crash/snapshots.ts"), mode, dir],
        {
          stdio: ["ignore", "pipe", "inherit"],
        },
      );

    it("keeps what a live process holds, and after its kill -9 what it had finished, without mounts or rests", async () => {
      const child = start("hold");
      const [said] = (await once(child.stdout, "data")) as [Uint8Array];
      const { id, layer } = JSON.parse(new TextDecoder().decode(said)) as {
        id: string;
        layer: string;
      };
      const snapshotter = await openOverlaySnapshotter({ dir });
      expect(await snapshotter.removeUnused(new Set(), uncancelled)).toEqual([]);
      expect(readdirSync(join(dir, "active"))).toHaveLength(1);
      await snapshotter[Symbol.asyncDispose]();
      child.kill("SIGKILL");
      await once(child, "exit");
      expect(readFileSync("/proc/1/mountinfo", "utf8")).not.toContain(dir);
      const again = await openOverlaySnapshotter({ dir });
      await expect.poll(() => readdirSync(join(dir, "active"))).toEqual([]);
      const found = await again.open(id, uncancelled);
      const names = await withMounted(await found!.mounts(uncancelled), uncancelled, (at) =>
        readdirSync(at),
      );
      expect(names).toEqual(["done"]);
      await found![Symbol.asyncDispose]();
      expect(await again.removeUnused(new Set(), uncancelled)).toEqual([layer]);
      await again[Symbol.asyncDispose]();
    });

    it("unpacks one image in three processes at once", async () => {
      const children = [1, 2, 3].map(() => start("unpack"));
      const said = await Promise.all(
        children.map(async (child) => new TextDecoder().decode(await gathered(child.stdout))),
      );
      expect(new Set(said).size).toBe(1);
      expect(said[0]).toMatch(/^sha256:/);
      expect(readdirSync(join(dir, "active"))).toEqual([]);
      expect(readdirSync(join(dir, "layers"))).toHaveLength(1);
    });
  });
} else
  describe("snapshotter: overlay", () => {
    it("is not tried here", ({ skip }) => skip(`no overlay mounts: ${noOverlay}`));
  });

if (isRoot) suite("copy", openCopySnapshotter);
else
  describe("snapshotter: copy", () => {
    it("is not tried here", ({ skip }) => skip("needs root, to give files to other users"));
  });
