// Lists without contents: what becomes a file, and what the list says of the rest.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { FileEntry, Session, SharedFiles, StepCall } from "../../../api/index.ts";
import { goMode, uncancelled } from "../../../base/index.ts";
import { fsutilStat } from "../../../formats/proto/index.ts";
import type { HostTree } from "../../../storage/snapshot/index.ts";
import { hostFile } from "../host-tree.ts";
import { parseMetadataTransfer } from "./metadata-only.ts";
import { transferFiles } from "./transfer.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-metadata-"));
  mkdirSync(join(directory, "kept"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const entryOf = (path: string, mode = 0o100644, more: Partial<FileEntry> = {}): FileEntry => ({
  path,
  mode,
  uid: 0,
  gid: 0,
  size: mode >= 0o100000 ? path.length : 0,
  mtime: 5_000_000_007n,
  ...more,
});

/** Every file's content is its path; `asked` gets those that were read. */
function lent(entries: readonly FileEntry[], asked: string[]): SharedFiles {
  return {
    entries: (async function* () {
      yield entries;
    })(),
    async read(index, take) {
      const { path } = entries[index] as FileEntry;
      asked.push(path);
      await take(new TextEncoder().encode(path));
    },
    async [Symbol.asyncDispose]() {},
  };
}

function transfer(
  entries: readonly FileEntry[],
  asked: string[],
  exceptions: readonly string[],
): Promise<HostTree> {
  const session = { files: () => lent(entries, asked) } as unknown as Session;
  const call = { ...uncancelled, step: "sha256:0", emit: () => {} } as unknown as StepCall;
  const about = { name: "context", key: "kept", filter: {}, everything: false };
  const options = { ...about, session, directory, exceptions, alone: () => true, now: Date.now };
  return transferFiles(options, call);
}

function listOf(tree: HostTree): readonly fsutilStat.Stat[] {
  const entry = tree.entries.find(({ path }) => path === ".fsutil-metadata");
  if (!entry) throw new Error("there is no list");
  const bytes = readFileSync(hostFile(tree, entry));
  expect(entry.size).toBe(bytes.length);
  const found: fsutilStat.Stat[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + bytes.readUInt32LE(at);
    found.push(fsutilStat.Stat.decode(bytes.subarray(at + 4, end)));
    at = end;
  }
  return found;
}

const entries = [
  entryOf("!"),
  entryOf(".fsutil-metadata"),
  entryOf("a", 0o040755),
  entryOf("a/b", 0o040700),
  entryOf("a/b/wanted.txt"),
  entryOf("a/c", 0o040755),
  entryOf("a/c/left.bin", 0o100755, { xattrs: new Map([["user.x", Uint8Array.of(1)]]) }),
  entryOf("a/link", 0o120777, { linkname: "b" }),
  entryOf("whole", 0o040755),
  entryOf("whole/one"),
];

it("brings the whole list, and as files only what is excepted and the directories around it", async () => {
  const asked: string[] = [];
  const tree = await transfer(entries, asked, ["**/*.txt", "whole"]);
  expect(asked.toSorted()).toEqual(["a/b/wanted.txt", "whole/one"]);
  expect(tree.entries.map(({ path }) => path)).toEqual([
    ".fsutil-metadata",
    "a",
    "a/b",
    "a/b/wanted.txt",
    "whole",
    "whole/one",
  ]);
  const list = listOf(tree);
  expect(list.map(({ path }) => path)).toEqual(
    entries.map(({ path }) => path).filter((path) => path !== ".fsutil-metadata"),
  );
  expect(list.find(({ path }) => path === "a/c/left.bin")).toMatchObject({
    mode: goMode(0o100755),
    size: "a/c/left.bin".length,
    modTime: "5000000007",
    xattrs: new Map([["user.x", Uint8Array.of(1)]]),
  });
  expect(list.find(({ path }) => path === "a/link")?.linkname).toBe("b");
});

it("without exceptions is the list alone", async () => {
  const asked: string[] = [];
  const tree = await transfer(entries, asked, []);
  expect(asked).toEqual([]);
  expect(tree.entries.map(({ path }) => path)).toEqual([".fsutil-metadata"]);
  expect(listOf(tree)).toHaveLength(entries.length - 1);
});

it("refuses a second name of a file whose contents stay away", async () => {
  const list = [entryOf("a"), entryOf("b.txt", 0o100644, { linkname: "a" })];
  await expect(transfer(list, [], ["*.txt"])).rejects.toThrow(/b.txt is a link to a, whose/);
});

it("is asked for by attributes", () => {
  expect(parseMetadataTransfer({})).toBeUndefined();
  expect(parseMetadataTransfer({ "local.metadatatransfer": "false" })).toBeUndefined();
  expect(parseMetadataTransfer({ "local.metadatatransfer": "true" })).toEqual([]);
  const exceptions = { "local.metadatatransferexclude": '["*.txt"]' };
  expect(parseMetadataTransfer({ "local.metadatatransfer": "1", ...exceptions })).toEqual([
    "*.txt",
  ]);
  expect(() => parseMetadataTransfer({ "local.metadatatransfer": "maybe" })).toThrow(/"maybe"/);
});
