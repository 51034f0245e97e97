// The reference's rules for copies, as test/e2e/reference found them: made directories, names of one file, owners by name.
import {
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { uncancelled } from "../../../base/index.ts";
import type { CopyAction } from "../../../formats/llb/index.ts";
import { makeDirectory, makeFile, performCopy } from "./actions.ts";
import { resolveOwner } from "./owner.ts";
import { directoryView } from "./view.ts";

let place: string;
let root: string;
let source: string;
const past = 1_000_000_000;

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "kiln-rules-"));
  [root, source] = [join(place, "root"), join(place, "source")];
  mkdirSync(root);
  mkdirSync(join(source, "dir"), { recursive: true, mode: 0o750 });
  writeFileSync(join(source, "dir/one"), "1");
  linkSync(join(source, "dir/one"), join(source, "dir/same"));
  lutimesSync(join(source, "dir"), past, past);
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

const contents: CopyAction = {
  kind: "copy",
  src: "/dir",
  dest: "/made/here",
  modeStr: "",
  followSymlink: true,
  dirCopyContents: true,
  createDestPath: true,
  allowWildcard: true,
  allowEmptyWildcard: true,
  attemptUnpack: false,
  alwaysReplaceExistingDestPaths: false,
  includePatterns: [],
  excludePatterns: [],
  requiredPaths: [],
};

const copy = (more: Partial<CopyAction>) =>
  performCopy({ ...contents, ...more }, directoryView(source), root, undefined, uncancelled);
const at = (path: string) => lstatSync(join(root, path));
const mode = (path: string) => at(path).mode & 0o7777;

describe("the directory that a directory's contents go into", () => {
  it("has the source's time, not its mode", async () => {
    await copy({});
    expect(at("made/here").mtimeMs).toBe(past * 1000);
    expect(mode("made/here")).toBe(0o755);
  });

  it("keeps its mode and gets the source's time when it was there", async () => {
    mkdirSync(join(root, "made/here"), { recursive: true, mode: 0o700 });
    await copy({ mode: 0o711 });
    expect(at("made/here").mtimeMs).toBe(past * 1000);
    expect(mode("made/here")).toBe(0o700);
    expect(mode("made/here/one")).toBe(0o711);
  });

  it("gets no more than permissions of a mode", async () => {
    await copy({ src: "/dir/one", dest: "/bin/one", mode: 0o4755 });
    expect([mode("bin"), mode("bin/one")]).toEqual([0o755, 0o4755]);
  });

  it("has a mode given as a number, as have its new parents, but not one given in words", async () => {
    await copy({ mode: 0o711 });
    expect([mode("made"), mode("made/here")]).toEqual([0o711, 0o711]);
    await copy({ dest: "/words/here", modeStr: "u=rwx,go=" });
    expect([mode("words"), mode("words/here"), mode("words/here/one")]).toEqual([
      0o755, 0o755, 0o700,
    ]);
  });
});

it("names of one file stay names of one file", async () => {
  await copy({});
  expect(at("made/here/same").ino).toBe(at("made/here/one").ino);
});

it("directories made on the way have the copy's time, whatever is put into them", async () => {
  await copy({ dest: "/x/y/z", timestamp: 5_000_000_000n });
  expect(["x", "x/y", "x/y/z"].map((path) => at(path).mtimeMs)).toEqual([5000, 5000, 5000]);
});

it("a link that leads below a file leads to nothing", async () => {
  symlinkSync("dir/one/more", join(source, "link"));
  await expect(copy({ src: "/link" })).rejects.toMatchObject({ code: "COPY_NOT_FOUND" });
});

it("a required path that is missing fails the copy, also when its pattern may match nothing", async () => {
  const patterns = { src: "/", includePatterns: ["dir/none"] };
  await copy(patterns);
  await copy({ ...patterns, requiredPaths: ["/dir/one"] });
  await expect(copy({ ...patterns, requiredPaths: ["/dir/none"] })).rejects.toMatchObject({
    code: "COPY_NOT_FOUND",
  });
});

it("times are exact to the nanosecond", () => {
  const timestamp = 1_700_000_000_123_456_789n;
  const action = { kind: "mkdir", path: "/timed", mode: 0o755, makeParents: false } as const;
  makeDirectory(root, { ...action, timestamp }, undefined);
  expect(lstatSync(join(root, "timed"), { bigint: true }).mtimeNs).toBe(timestamp);
});

describe("owners by name", () => {
  const lookUp = (user: string, group?: string, input?: number) => {
    const warnings: string[] = [];
    mkdirSync(join(root, "etc"), { recursive: true });
    writeFileSync(join(root, "etc/passwd"), "app:x:5:6::/:\n");
    writeFileSync(join(root, "etc/group"), "grp:x:9:\n");
    const id = (name: string) => ({ name, ...(input === undefined ? {} : { input }) });
    const owner = resolveOwner(
      { user: id(user), ...(group === undefined ? {} : { group: id(group) }) },
      {
        viewOf: (one) => (one === 3 ? directoryView(root) : undefined),
        warn: (message) => warnings.push(message),
      },
    );
    return { owner, warnings: warnings.length };
  };

  it("are looked up in the input that they name", () => {
    expect(lookUp("app", undefined, 3)).toEqual({ owner: { uid: 5, gid: 6 }, warnings: 0 });
    expect(lookUp("app", "grp", 3)).toEqual({ owner: { uid: 5, gid: 9 }, warnings: 0 });
    expect(lookUp("app", undefined, 2)).toEqual({ owner: { uid: 0, gid: 0 }, warnings: 1 });
  });

  it("that are not known are root's, or the user's group, with a warning", () => {
    expect(lookUp("nosuch", "grp", 3)).toEqual({ owner: { uid: 0, gid: 9 }, warnings: 1 });
    expect(lookUp("app", "nosuch", 3)).toEqual({ owner: { uid: 5, gid: 6 }, warnings: 1 });
  });

  it("are refused where there is nothing to look them up in", () => {
    expect(() => lookUp("app")).toThrow(/scratch|no \/etc\/passwd/);
  });
});

it("parents that a directory needs have its mode, and no directory has setuid and its like", () => {
  const action = { kind: "mkdir", path: "/p/q/r", mode: 0o7711, makeParents: true } as const;
  mkdirSync(join(root, "p"), { mode: 0o755 });
  makeDirectory(root, action, undefined);
  expect(["p", "p/q", "p/q/r"].map(mode)).toEqual([0o755, 0o711, 0o711]);
});

it("a file that is written again keeps its mode", () => {
  const action = { kind: "mkfile", path: "/file", mode: 0o4640 } as const;
  const text = (words: string) => new TextEncoder().encode(words);
  makeFile(root, { ...action, data: text("one") }, undefined);
  makeFile(root, { ...action, mode: 0o755, data: text("two") }, undefined);
  expect(mode("file")).toBe(0o640);
  expect(at("file").size).toBe(3);
});
