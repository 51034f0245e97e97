// What clients read of results: ranges, and what is told where there is nothing of the kind.
import { expect, it } from "vitest";
import type { FileStat, ResultRef } from "../../api/index.ts";
import { uncancelled } from "../../base/index.ts";
import { entriesOf, readFileOf, statFileOf } from "./read-files.ts";

const call = uncancelled;
const stat = (mode: number): FileStat => ({ size: 4, mode, uid: 0, gid: 0, mtime: 0n });
const files = {
  stat: async (path) =>
    path === "/d" ? stat(0o040755) : path === "/f" ? stat(0o100644) : undefined,
  readFile: async () => new TextEncoder().encode("0123"),
  entries: async () => [{ ...stat(0o120777), size: 0, name: "l", linkname: "f" }],
} as Partial<ResultRef> as ResultRef;

it("reads whole files and ranges, of which one without length is empty", async () => {
  const read = async (Offset: number, Length: number) =>
    new TextDecoder().decode(await readFileOf(files, "/f", { Offset, Length }, call));
  expect((await readFileOf(files, "/f", undefined, call)).length).toBe(4);
  expect(await read(1, 2)).toBe("12");
  expect(await read(2, 9)).toBe("23");
  expect(await read(1, 0)).toBe("");
  await expect(read(-1, 2)).rejects.toThrow("must not be negative");
});

it("tells files from directories", async () => {
  await expect(readFileOf(files, "/d", undefined, call)).rejects.toThrow("read /d: is a directory");
  await expect(entriesOf(files, "/f", "", call)).rejects.toThrow("stat /f: not a directory");
  await expect(entriesOf(files, "/n", "", call)).rejects.toThrow("open /n: no such file");
  await expect(statFileOf(files, "/n", call)).rejects.toThrow("lstat /n: no such file");
  expect(await entriesOf(files, "/d", "", call)).toMatchObject([{ path: "l", size: 1 }]);
});
