import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { noteOwner, takeOwner } from "./owner-note.ts";
import { readXattrs } from "./tree-files.ts";

it("a noted owner is found again, replaced, and taken back by root's", () => {
  const directory = mkdtempSync(join(tmpdir(), "kiln-owner-"));
  try {
    const path = join(directory, "file");
    writeFileSync(path, "");
    const owner = () => {
      const attributes = readXattrs(path);
      const found = takeOwner(attributes);
      expect([...attributes.keys()]).toEqual([]);
      return found;
    };
    expect(owner()).toBeUndefined();
    noteOwner(path, 1000, 50);
    expect(owner()).toEqual({ uid: 1000, gid: 50 });
    noteOwner(path, 7, 0);
    expect(owner()).toEqual({ uid: 7, gid: 0 });
    noteOwner(path, 0, 0);
    expect(owner()).toBeUndefined();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

it.each(["", "1", "-1:0", "1:2:3", "99999999999:1", "a:b"])("%j names nobody", (text) => {
  const attributes = new Map([["user.kiln.owner", new TextEncoder().encode(text)]]);
  expect(takeOwner(attributes)).toBeUndefined();
  expect(attributes.size).toBe(0);
});
