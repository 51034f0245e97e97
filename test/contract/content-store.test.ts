// The store on disk against the content store contract, and what only files can go through.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { digestHex, uncancelled } from "../../src/base/index.ts";
import { openContentStore } from "../../src/storage/content/index.ts";
import { gathered } from "../kit/tar.ts";
import { contentStoreContract } from "./content-store.ts";

contentStoreContract("disk", async () => {
  const dir = mkdtempSync(join(tmpdir(), "kiln-content-"));
  return {
    store: await openContentStore(dir),
    reopen: () => openContentStore(dir),
    damage: (blob) =>
      writeFileSync(join(dir, "blobs/sha256", digestHex(blob.digest)), "x".repeat(blob.size)),
    leftovers: () => readdirSync(join(dir, "ingest")),
    dispose: async () => rmSync(dir, { recursive: true }),
  };
});

it("sweeps what a killed process left, and nothing of a live one", async () => {
  const dir = mkdtempSync(join(tmpdir(), "kiln-content-"));
  try {
    const script = join(import.meta.dirname, "crash/ingest.ts");
    const child = spawn(process.execPath, ["--import", "tsx", script, dir], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    await openContentStore(dir);
    expect(readdirSync(join(dir, "ingest"))).toHaveLength(1);
    child.kill("SIGKILL");
    await once(child, "exit");
    const store = await openContentStore(dir);
    expect(readdirSync(join(dir, "ingest"))).toEqual([]);
    const blobs = [];
    for await (const blob of store.list()) blobs.push(blob);
    expect(blobs).toHaveLength(1);
    const finished = { mediaType: "", ...blobs[0]! };
    expect(await gathered(store.read(finished, uncancelled))).toHaveLength(1_000_000);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

it("says that the disk is full, and leaves no part of a blob", ({ skip }) => {
  if (process.geteuid?.() !== 0) skip("needs root, to mount a small tmpfs");
  const dir = mkdtempSync(join(tmpdir(), "kiln-content-"));
  try {
    const script = join(import.meta.dirname, "crash/fill.ts");
    const command = 'mount -t tmpfs -o size=1m tiny "$1" && exec "$2" --import tsx "$3" "$1"';
    const args = ["-m", "sh", "-c", command, "sh", dir, process.execPath, script];
    const answer = execFileSync("unshare", args, { encoding: "utf8" });
    expect(JSON.parse(answer)).toEqual({ code: "DISK_FULL", left: [] });
  } finally {
    rmSync(dir, { recursive: true });
  }
});
