// The reader on archives that GNU tar made in all its formats, and on whatever the writer can say.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gathered, pieces, tarOf } from "../../../test/kit/tar.ts";
import { uncancelled } from "../../base/index.ts";
import { tarEntries } from "./tar-entries.ts";
import type { TarHeader, TarType } from "./tar-header.ts";
import { readTar } from "./tar-reader.ts";

const call = uncancelled;
const golden = (name: string) =>
  gunzipSync(readFileSync(join(import.meta.dirname, `golden/${name}.tar.gz`)));

interface Read {
  readonly header: TarHeader;
  readonly data: Uint8Array;
}

async function entriesOf(
  archive: Uint8Array,
  pieceSize = 1000,
): Promise<ReadonlyMap<string, Read>> {
  const found = new Map<string, Read>();
  for await (const { header, data } of tarEntries(pieces(archive, pieceSize), call)) {
    found.set(header.path, { header, data: await gathered(data) });
  }
  return found;
}

const text = (read: Read | undefined) => new TextDecoder().decode(read?.data);
const sha256 = (data: Uint8Array | undefined) =>
  createHash("sha256")
    .update(data ?? "")
    .digest("hex");
const deep = "long-directory-name/".repeat(6);
const sparseSum = "608978790c5bb7d451dcdbffb895c23c53c342c1e4f17999ca496e40396e88f1";

describe.each(["gnu", "pax"])("an archive in %s format", (format) => {
  it("has its files, links and devices", async () => {
    const found = await entriesOf(golden(format));
    expect(text(found.get("file"))).toBe("hello");
    expect(found.get("file")?.header).toMatchObject({
      type: "file",
      mode: 0o4751,
      uid: 3_000_000,
      gid: 2_999_999,
      size: 5,
    });
    expect(found.get("hard")?.header).toMatchObject({
      type: "hardlink",
      linkname: "file",
      size: 0,
    });
    expect(found.get("soft")?.header).toMatchObject({ type: "symlink", linkname: "file" });
    expect(found.get("pipe")?.header).toMatchObject({ type: "fifo" });
    expect(found.get("char")?.header).toMatchObject({
      type: "char-device",
      devMajor: 1,
      devMinor: 3,
    });
    expect(found.get("block")?.header).toMatchObject({
      type: "block-device",
      devMajor: 7,
      devMinor: 9,
    });
  });

  it("has long names, and names that are not UTF-8", async () => {
    const found = await entriesOf(golden(format), 513);
    expect(text(found.get(`${deep}a-file-with-a-name`))).toBe("deep");
    expect(found.get("longlink")?.header.linkname).toBe(`${deep}a-file-with-a-name`);
    expect(text(found.get("größe"))).toBe("x");
    expect(text(found.get("caf\udce9"))).toBe("y");
    expect(found.get(deep.slice(0, -1))?.header.type).toBe("directory");
  });
});

it("reads binary attributes and times to the nanosecond from pax records", async () => {
  const found = await entriesOf(golden("pax"));
  expect(found.get("file")?.header.xattrs?.get("user.bin")).toEqual(
    new Uint8Array([0, 10, 255, 10, 0]),
  );
  expect(found.get("soft")?.header.mtime).toBe(1_600_000_000_123_456_789n);
  expect(found.get("pipe")?.header.mtime).toBe(-86_400_500_000_000n);
});

it("reads times before 1970 from base-256 numbers", async () => {
  const found = await entriesOf(golden("gnu"));
  expect(found.get("pipe")?.header.mtime).toBe(-86_401_000_000_000n);
});

it.each(["v7", "ustar"])("reads %s archives", async (format) => {
  const found = await entriesOf(golden(format));
  expect(text(found.get("file"))).toBe("hello");
  if (format === "ustar") expect(text(found.get(`${deep}a-file-with-a-name`))).toBe("deep");
});

it.each(["gnu", "0.0", "0.1", "1.0"])(
  "fills the holes of sparse files in format %s",
  async (format) => {
    for (const size of [1_000_000, 512, 333]) {
      const found = await entriesOf(golden(`sparse-${format}`), size);
      expect([...found.keys()]).toEqual(["sparse", "small-sparse"]);
      expect(sha256(found.get("sparse")?.data)).toBe(sparseSum);
      expect(found.get("small-sparse")?.data).toEqual(new Uint8Array(70_000));
    }
  },
);

it("does not hand out holes to those who can skip them", async () => {
  const runs: [number, number][] = [];
  const sink = {
    entry() {},
    data: (chunk: Uint8Array, position: number) => void runs.push([position, chunk.length]),
    end() {},
  };
  await readTar(pieces(golden("sparse-1.0")), sink, call);
  expect(runs[0]?.[0]).toBe(8192);
  expect(runs.reduce((sum, [, length]) => sum + length, 0)).toBeLessThan(200_000);
});

it("goes on after an entry whose contents nobody read", async () => {
  const archive = tarOf([
    { path: "a", data: "x".repeat(5000) },
    { path: "b", data: "b" },
  ]);
  const names = [];
  for await (const { header } of tarEntries(pieces(archive, 700), call)) names.push(header.path);
  expect(names).toEqual(["a", "b"]);
});

it("accepts archives without end mark, and ignores what follows one", async () => {
  const archive = tarOf([{ path: "a", data: "x" }]);
  expect([...(await entriesOf(archive.subarray(0, 1024))).keys()]).toEqual(["a"]);
  const more = new Uint8Array(archive.length + 5000).fill(7);
  more.set(archive);
  expect([...(await entriesOf(more)).keys()]).toEqual(["a"]);
});

it("takes an empty stream for an empty archive", async () => {
  expect(await entriesOf(new Uint8Array())).toEqual(new Map());
});

describe("what the writer says, the reader understands", () => {
  const name = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 120 })
    .filter((value) => /^[^\0/]+$/.test(value) && !/\p{Surrogate}/u.test(value));
  const xattr = fc.tuple(
    fc.stringMatching(/^user\.[a-z]{1,20}$/),
    fc.uint8Array({ maxLength: 60 }),
  );
  const header = fc.record({
    path: fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/")),
    type: fc.constantFrom<TarType>(
      "file",
      "directory",
      "symlink",
      "hardlink",
      "char-device",
      "fifo",
    ),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.integer({ min: 0, max: 4_294_967_294 }),
    gid: fc.integer({ min: 0, max: 4_294_967_294 }),
    mtime: fc.bigInt({ min: -1_000_000_000_000_000_000n, max: 10_000_000_000_000_000_000n }),
    data: fc.uint8Array({ maxLength: 1500 }),
    link: name,
    xattrs: fc.array(xattr, { maxLength: 3 }).map((list) => new Map(list)),
  });

  it("for any entry, cut into any pieces", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(header, { maxLength: 5 }),
        fc.integer({ min: 1, max: 3000 }),
        async (specs, size) => {
          const written = specs.map(({ link, xattrs, data, type, ...rest }) => ({
            ...rest,
            type,
            ...(type === "file" ? { data } : {}),
            ...(type === "symlink" || type === "hardlink" ? { linkname: link } : {}),
            ...(type === "char-device" ? { devMajor: 5, devMinor: 6 } : {}),
            ...(xattrs.size > 0 ? { xattrs } : {}),
          }));
          const read: Read[] = [];
          for await (const { header: found, data } of tarEntries(
            pieces(tarOf(written), size),
            call,
          )) {
            read.push({ header: found, data: await gathered(data) });
          }
          expect(read).toHaveLength(written.length);
          for (const [at, { header: found, data }] of read.entries()) {
            const { data: expectedData = new Uint8Array(), ...expected } = written[at]!;
            expect(found).toMatchObject(expected);
            expect(data).toEqual(expectedData);
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});
