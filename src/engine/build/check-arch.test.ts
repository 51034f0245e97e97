// Programs for the wrong processor in what a build made.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { BuildEvent } from "../../api/index.ts";
import { uncancelled } from "../../base/index.ts";
import type { Snapshot, Snapshotter } from "../../storage/snapshot/index.ts";
import { checkArchitecture } from "./check-arch.ts";

/** The beginning of an ELF file. */
function elf(machine: number, type = 2, bits = 2): Uint8Array {
  const head = new Uint8Array(64);
  head.set([0x7f, 0x45, 0x4c, 0x46, bits, 1, 1]);
  head.set([type, 0, machine & 255, machine >> 8], 16);
  return head;
}
const [amd64, arm64, i386, bpf] = [elf(62), elf(183), elf(3, 2, 1), elf(247)];

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-check-arch-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A stack of layers, each with these files, in directories of their own; the view is that of the last. */
function stack(layers: readonly Readonly<Record<string, Uint8Array>>[], view = layers.length - 1) {
  for (const [at, files] of layers.entries()) {
    for (const [name, data] of Object.entries(files)) {
      const path = join(directory, `${at}`, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, data);
    }
  }
  const source = join(directory, `${view}`);
  const snapshot = {
    layers: layers.map((_, at) => ({ id: `${at}` })),
    mounts: async () => [{ type: "bind", source, readonly: true }],
  } as unknown as Snapshot;
  const snapshotter = {
    directory: ({ id }: { id: string }) => join(directory, id),
  } as unknown as Snapshotter;
  return { snapshot, snapshotter };
}

async function check(
  mode: "warn" | "error",
  { snapshot, snapshotter }: ReturnType<typeof stack>,
  architecture = "arm64",
): Promise<readonly string[]> {
  const events: BuildEvent[] = [];
  const emit = (event: BuildEvent) => void events.push(event);
  const result = { platform: { os: "linux", architecture }, snapshot };
  await checkArchitecture(mode, result, { snapshotter, emit, now: () => new Date(0) }, uncancelled);
  return events.flatMap((event) => (event.type === "warning" ? [event.warning.message] : []));
}

it("names programs and libraries for another processor, and fails where that is wanted", async () => {
  const made = stack([{ "usr/bin/app": amd64, "usr/bin/good": arm64, "lib/x.so": elf(62, 3) }]);
  expect(await check("warn", made)).toEqual([
    "/lib/x.so is built for amd64, not for linux/arm64",
    "/usr/bin/app is built for amd64, not for linux/arm64",
  ]);
  await expect(check("error", made)).rejects.toMatchObject({
    code: "ARCHITECTURE_MISMATCH",
    message: expect.stringContaining("/usr/bin/app is built for amd64"),
  });
});

it("says nothing of what any processor has, of objects, and of what is no program", async () => {
  const files = {
    "bpf.o": bpf,
    "x.o": elf(62, 1),
    text: new Uint8Array(100),
    short: amd64.subarray(0, 20),
  };
  expect(await check("warn", stack([files]))).toEqual([]);
});

it("takes 32-bit programs of x86 for what a 64-bit one runs", async () => {
  expect(await check("warn", stack([{ old: i386 }]), "amd64")).toEqual([]);
  expect(await check("warn", stack([{ old: i386 }]), "arm64")).toHaveLength(1);
});

it("says nothing of files that a later layer replaced, removed, or put a link in the way of", async () => {
  const made = stack([
    { a: amd64, b: amd64, "d/c": amd64 },
    { a: arm64, "e/c": arm64 },
  ]);
  symlinkSync("e", join(directory, "1/d"));
  expect(await check("warn", made)).toEqual([]);
});

it("reaches files whose names are no text", async () => {
  const made = stack([{ plain: arm64 }]);
  const { Buffer } = await import("node:buffer");
  writeFileSync(Buffer.concat([Buffer.from(`${directory}/0/`), Buffer.of(0xff, 0x41)]), amd64);
  expect(await check("warn", made)).toHaveLength(1);
});
