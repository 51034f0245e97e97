// Both snapshotters against the snapshotter contract.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "vitest";
import {
  type CollectableSnapshotter,
  openCopySnapshotter,
  openOverlaySnapshotter,
  probeOverlay,
} from "../../src/storage/snapshot/index.ts";
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

if (noOverlay === undefined) suite("overlay", openOverlaySnapshotter);
else
  describe("snapshotter: overlay", () => {
    it("is not tried here", ({ skip }) => skip(`no overlay mounts: ${noOverlay}`));
  });

if (isRoot) suite("copy", openCopySnapshotter);
else
  describe("snapshotter: copy", () => {
    it("is not tried here", ({ skip }) => skip("needs root, to give files to other users"));
  });
