// Archives that want out of their directory, or to take more than they should: nothing outside is ever touched.
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { pieces, type TarSpec, tarOf } from "../../../test/kit/tar.ts";
import { uncancelled } from "../../base/index.ts";
import { type Extracted, type ExtractOptions, extractTar } from "./extract.ts";
import { removeTreeSync } from "./remove-tree.ts";

let dir: string;
let root: string;
let canary: string;
let before: string;

beforeEach(() => {
  // In memory where possible: thousands of small files take a disk seconds.
  dir = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "kiln-hostile-"));
  root = join(dir, "root");
  canary = join(dir, "canary");
  mkdirSync(root);
  mkdirSync(canary);
  writeFileSync(join(canary, "file"), "untouched");
  chmodSync(join(canary, "file"), 0o640);
  before = fingerprint(canary);
});

afterEach(() => {
  try {
    expect(fingerprint(canary)).toBe(before);
    expect(readdirSync(dir).sort()).toEqual(["canary", "root"]);
  } finally {
    removeTreeSync(dir);
  }
});

/** Everything about the directory that an extraction could have changed, times included. */
function fingerprint(directory: string): string {
  const looks = (path: string) => {
    const { mode, uid, gid, size, mtimeMs, nlink } = lstatSync(path);
    return [path, mode, uid, gid, size, mtimeMs, nlink];
  };
  const names = readdirSync(directory).sort();
  return JSON.stringify([looks(directory), ...names.map((name) => looks(join(directory, name)))]);
}

function extract(
  entries: readonly TarSpec[],
  options: Partial<ExtractOptions> = {},
): Promise<Extracted> {
  return extractTar(
    pieces(tarOf(entries), 777),
    { root, whiteouts: "overlay", ...options },
    uncancelled,
  );
}

const read = (path: string) => readFileSync(join(root, path), "utf8");

describe("names that climb", () => {
  it.each([
    ["../canary/file", "canary/file"],
    ["../../../../../../etc/kiln-hostile", "etc/kiln-hostile"],
    ["/etc/kiln-hostile", "etc/kiln-hostile"],
    ["//etc///kiln-hostile", "etc/kiln-hostile"],
    ["a/../../b", "b"],
    ["./././x", "x"],
    ["a/b/../../../canary/file", "canary/file"],
  ])("keeps %s inside, as %s", async (path, inside) => {
    await extract([{ path, data: "evil" }]);
    expect(read(inside)).toBe("evil");
    expect(existsSync("/etc/kiln-hostile")).toBe(false);
  });

  it("clamps hard link targets", async () => {
    await expect(
      extract([{ path: "link", type: "hardlink", linkname: "../canary/file" }]),
    ).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
    expect(existsSync(join(root, "link"))).toBe(false);
  });

  it("does not resolve hard link targets from the current directory", async () => {
    const old = process.cwd();
    process.chdir(canary);
    try {
      await expect(
        extract([{ path: "link", type: "hardlink", linkname: "file" }]),
      ).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
    } finally {
      process.chdir(old);
    }
  });
});

describe("links that lead out", () => {
  const outs = () => [
    canary,
    "../canary",
    "../../../../../../../../../..",
    "/",
    "./../canary",
    "..",
  ];

  it("writes through a link stay inside", async () => {
    for (const [index, target] of outs().entries()) {
      await extract([
        { path: `link${index}`, linkname: target },
        { path: `link${index}/file`, data: "evil" },
      ]);
    }
    expect(fingerprint(canary)).toBe(before);
    expect(read(`${canary.slice(1)}/file`)).toBe("evil");
    expect(read("canary/file")).toBe("evil");
    expect(read("file")).toBe("evil");
  });

  it("overwriting a link replaces the link itself", async () => {
    await extract([
      { path: "link", linkname: join(canary, "file") },
      { path: "link", data: "evil", mode: 0o777, uid: 99 },
    ]);
    expect(read("link")).toBe("evil");
    expect(lstatSync(join(root, "link")).isFile()).toBe(true);
  });

  it("neither mode, owner, time nor attributes go through a link", async () => {
    await extract([
      {
        path: "link",
        linkname: join(canary, "file"),
        mode: 0o777,
        uid: 99,
        gid: 99,
        mtime: 0n,
        xattrs: new Map([["user.evil", new Uint8Array([1])]]),
      },
      { path: "dirlink", linkname: canary, mode: 0o777, uid: 99, mtime: 0n },
    ]);
    expect(readlinkSync(join(root, "link"))).toBe(join(canary, "file"));
  });

  it("a directory entry on a link makes a directory, and leaves the target alone", async () => {
    await extract([
      { path: "link", linkname: canary },
      { path: "link/", mode: 0o777, uid: 99, mtime: 0n },
      { path: "link/file", data: "evil" },
    ]);
    expect(lstatSync(join(root, "link")).isDirectory()).toBe(true);
    expect(read("link/file")).toBe("evil");
  });

  it("a directory swapped for a link after files went into it is not trusted any more", async () => {
    await extract([
      { path: "d/" },
      { path: "d/one", data: "1" },
      { path: "d", linkname: "../canary" },
      { path: "d/file", data: "evil" },
      { path: "d/sub/x", data: "evil" },
    ]);
    expect(read("canary/file")).toBe("evil");
    expect(read("canary/sub/x")).toBe("evil");
    expect(existsSync(join(root, "canary/one"))).toBe(false);
  });

  it("a parent of a known directory swapped for a link is not trusted either", async () => {
    await extract([
      { path: "a/b/c/" },
      { path: "a/b/c/one", data: "1" },
      { path: "a", linkname: canary },
      { path: "a/b/c/two", data: "2" },
      { path: "a/file", data: "evil" },
    ]);
    expect(read(`${canary.slice(1)}/b/c/two`)).toBe("2");
  });

  it("chains of links stay inside", async () => {
    await extract([
      { path: "one", linkname: ".." },
      { path: "two", linkname: "one/.." },
      { path: "three", linkname: "two/../canary" },
      { path: "three/file", data: "evil" },
    ]);
    expect(read("canary/file")).toBe("evil");
  });

  it("a hard link to a link does not become a way out", async () => {
    await extract([
      { path: "soft", linkname: join(canary, "file") },
      { path: "hard", type: "hardlink", linkname: "soft" },
      { path: "hard", data: "evil", mode: 0o777 },
      { path: "soft", data: "evil", mode: 0o777 },
    ]);
    expect(read("hard")).toBe("evil");
  });

  it("a hard link through a link that leads out finds nothing out there", async () => {
    await expect(
      extract([
        { path: "out", linkname: canary },
        { path: "hard", type: "hardlink", linkname: "out/file" },
      ]),
    ).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
  });

  it("writing to a hard-linked file replaces one name, not the contents of the other", async () => {
    await extract([
      { path: "first", data: "first" },
      { path: "second", type: "hardlink", linkname: "first" },
      { path: "second", data: "second" },
    ]);
    expect([read("first"), read("second")]).toEqual(["first", "second"]);
  });

  it("a hard link to itself is left as it is", async () => {
    await extract([
      { path: "file", data: "kept" },
      { path: "./file", type: "hardlink", linkname: "/file" },
    ]);
    expect(read("file")).toBe("kept");
  });

  it("link loops are refused in short time", async () => {
    await expect(
      extract([
        { path: "a", linkname: "b" },
        { path: "b", linkname: "a" },
        { path: "a/file", data: "x" },
      ]),
    ).rejects.toMatchObject({ code: "PATH_INVALID" });
  });

  it("a link that is there already, in a tree that is added to, is clamped too", async () => {
    symlinkSync(canary, join(root, "there"));
    await extract([{ path: "there/file", data: "evil" }], { whiteouts: "none" });
    expect(read(`${canary.slice(1)}/file`)).toBe("evil");
  });

  it("a file in place of a parent directory is refused", async () => {
    await expect(
      extract([
        { path: "f", data: "x" },
        { path: "f/g", data: "y" },
      ]),
    ).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
  });
});

describe("whiteouts", () => {
  it("through a link that leads out hide nothing out there", async () => {
    await extract([
      { path: "out", linkname: canary },
      { path: "out/.wh.file" },
      { path: "out/.wh..wh..opq" },
    ]);
    expect(readdirSync(canary)).toEqual(["file"]);
  });

  it.each([".wh.", ".wh..", ".wh..."])("named %s are refused or hide inside only", async (path) => {
    await extract([{ path: `d/${path}` }]).catch((error: unknown) => {
      expect(error).toMatchObject({ code: "ARCHIVE_INVALID" });
    });
    expect(existsSync(root)).toBe(true);
  });

  it("do not remove what the same layer has", async () => {
    await extract([{ path: "a", data: "kept" }, { path: ".wh.a" }]);
    expect(read("a")).toBe("kept");
  });

  it("replaced by a file or a directory are gone", async () => {
    await extract([
      { path: ".wh.a" },
      { path: "a", data: "file" },
      { path: ".wh.d" },
      { path: "d/x", data: "x" },
    ]);
    expect([read("a"), read("d/x")]).toEqual(["file", "x"]);
  });

  it("cannot be forged by overlayfs's own attributes", async () => {
    const forged = new Map([
      ["trusted.overlay.redirect", new TextEncoder().encode("/")],
      ["trusted.overlay.metacopy", new Uint8Array()],
      ["user.overlay.opaque", new TextEncoder().encode("y")],
    ]);
    await extract([
      { path: "d/", xattrs: forged },
      { path: "f", xattrs: forged },
    ]);
    const { loadSyscalls } = await import("./syscalls.ts");
    expect(loadSyscalls().llistxattr(join(root, "d"))).toEqual([]);
    expect(loadSyscalls().llistxattr(join(root, "f"))).toEqual([]);
  });
});

describe("what is odd but legal", () => {
  it("later entries win, whatever kind they are", async () => {
    await extract([
      { path: "x", data: "file" },
      { path: "x/", mode: 0o700 },
      { path: "x/inner/deep", data: "1" },
      { path: "x", linkname: "y" },
      { path: "x", data: "last" },
    ]);
    expect(read("x")).toBe("last");
  });

  it("names that differ in case only are different", async () => {
    await extract([
      { path: "README", data: "1" },
      { path: "readme", data: "2" },
    ]);
    expect([read("README"), read("readme")]).toEqual(["1", "2"]);
  });

  it("links with more .. than the tree is deep work as in a container", async () => {
    await extract([
      { path: "usr/lib/jvm/cacerts", linkname: "../../../../../../etc/pki/cacerts" },
      { path: "etc/pki/cacerts", data: "certs" },
      { path: "dash", linkname: "dash" },
      { path: "tail/" },
    ]);
    expect(readlinkSync(join(root, "dash"))).toBe("dash");
  });

  it("set-id bits and owners are kept", async ({ skip }) => {
    if (process.geteuid?.() !== 0) skip("needs root");
    await extract([{ path: "su", data: "x", mode: 0o6755, uid: 1234, gid: 4321 }]);
    const { mode, uid, gid } = lstatSync(join(root, "su"));
    expect([mode & 0o7777, uid, gid]).toEqual([0o6755, 1234, 4321]);
  });

  it("read-only directories are filled", async () => {
    await extract([
      { path: "ro/", mode: 0o555, mtime: 5_000_000_000n },
      { path: "ro/file", data: "x" },
    ]);
    const { mode, mtimeMs } = lstatSync(join(root, "ro"));
    expect([mode & 0o7777, mtimeMs]).toEqual([0o555, 5000]);
  });

  it("one owner can be given to all", async ({ skip }) => {
    if (process.geteuid?.() !== 0) skip("needs root");
    await extract(
      [
        { path: "d/", uid: 1 },
        { path: "d/f", uid: 2, data: "x" },
      ],
      { whiteouts: "none", owner: { uid: 7, gid: 8 } },
    );
    for (const path of ["d", "d/f"])
      expect(lstatSync(join(root, path))).toMatchObject({ uid: 7, gid: 8 });
  });

  it("the root's own entry leaves a tree that is added to as it is", async () => {
    chmodSync(root, 0o711);
    await extract(
      [
        { path: "./", mode: 0o777 },
        { path: "f", data: "x" },
      ],
      { whiteouts: "none" },
    );
    expect(lstatSync(root).mode & 0o7777).toBe(0o711);
  });
});

describe("size", () => {
  it("too many entries are refused", async () => {
    const entries = Array.from({ length: 20 }, (_, at) => ({ path: `f${at}` }));
    await expect(extract(entries, { limits: { entries: 10, bytes: 1000 } })).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
    });
  });

  it("too many bytes are refused", async () => {
    const entries = [
      { path: "a", data: "x".repeat(600) },
      { path: "b", data: "x".repeat(600) },
    ];
    await expect(extract(entries, { limits: { entries: 10, bytes: 1000 } })).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
    });
  });

  it("names and paths that no file system takes are refused", async () => {
    await expect(extract([{ path: "x".repeat(300) }])).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
    });
    await expect(extract([{ path: `${"d/".repeat(5000)}f` }])).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
    });
  });

  it("a tree as deep as the kernel allows is unpacked, replaced and removed", async () => {
    const deep = "d/".repeat(1900);
    await extract([{ path: `top/${deep}file`, data: "x" }]);
    expect(read(`top/${deep}file`)).toBe("x");
    await extract([{ path: "top", data: "flat" }]);
    expect(read("top")).toBe("flat");
  });

  it("a directory replaced again and again takes linear time", async () => {
    const time = async (count: number) => {
      rmSync(root, { recursive: true });
      mkdirSync(root);
      const entries: TarSpec[] = [];
      for (let at = 0; at < count; at++) {
        entries.push({ path: `d/${at}/` }, { path: `d/.wh.${at}x` });
        if (at % 10 === 0) entries.push({ path: `e${at}/x/y/` }, { path: `e${at}`, data: "f" });
      }
      // Our own time: the kernel's for making files swings with the disk.
      const start = process.cpuUsage();
      await extract(entries);
      return process.cpuUsage(start).user;
    };
    await time(500);
    const [small, large] = [await time(600), await time(4_800)];
    // Eight times the work; thirty-two would be quadratic's sixty-four with room for noise.
    expect(large / small).toBeLessThan(32);
  });
});
