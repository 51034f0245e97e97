// Archives made to confuse, fill or stall the reader: a clear refusal, in bounded time and memory.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gathered, joined, pieces, tarOf } from "../../../test/kit/tar.ts";
import { uncancelled } from "../../base/index.ts";
import { tarEntries } from "./tar-entries.ts";
import { checksumOf } from "./tar-format.ts";
import { readTar } from "./tar-reader.ts";
import { encodeTarHeader } from "./tar-writer.ts";

const call = uncancelled;
const text = (value: string) => new TextEncoder().encode(value);
const plain = { path: "f", type: "file", mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 0n } as const;

/** A header with fields written over, its checksum made right again. */
function forged(
  typeflag: string,
  size: number,
  change: (block: Uint8Array) => void = () => {},
): Uint8Array {
  const block = encodeTarHeader({ ...plain, size });
  block[156] = typeflag.charCodeAt(0);
  change(block);
  block.set(text(`${checksumOf(block, 0).toString(8).padStart(6, "0")}\0 `), 148);
  return block;
}

function padded(body: Uint8Array): Uint8Array {
  const out = new Uint8Array(Math.ceil(body.length / 512) * 512);
  out.set(body);
  return out;
}

async function readAll(archive: Uint8Array): Promise<string[]> {
  const names: string[] = [];
  for await (const { header, data } of tarEntries(pieces(archive, 4096), call, {
    entries: 1000,
    bytes: 10_000_000,
  })) {
    names.push(header.path);
    await gathered(data);
  }
  return names;
}

const pax = (body: string) => joined([forged("x", text(body).length), padded(text(body))]);
const file = forged("0", 0);
const end = new Uint8Array(1024);

describe("is refused:", () => {
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ["text", padded(text("this is not an archive at all ".repeat(40)))],
    ["an archive cut in a header", tarOf([{ path: "a" }]).subarray(0, 300)],
    [
      "an archive cut in contents",
      tarOf([{ path: "a", data: "x".repeat(2000) }]).subarray(0, 1500),
    ],
    ["an archive cut in padding", tarOf([{ path: "a", data: "x" }]).subarray(0, 700)],
    ["an archive cut after a pax header", pax("10 path=ab\n")],
    ["a spoilt checksum", tarOf([{ path: "a" }]).map((byte, at) => (at === 0 ? byte ^ 1 : byte))],
    ["an unknown entry type", joined([forged("Z", 0), end])],
    ["a header after the end mark", joined([new Uint8Array(512), file])],
    [
      "a size that is not a number",
      joined([forged("0", 0, (block) => block.set(text("zzzzzzzzzzz"), 124)), end]),
    ],
    [
      "a negative size",
      joined([forged("0", 0, (block) => block.set(new Uint8Array(12).fill(255), 124)), end]),
    ],
    [
      "a size beyond all counting",
      joined([
        forged("0", 0, (block) =>
          block.set([0x80, 0, 0, 0, 0x7f, 255, 255, 255, 255, 255, 255, 255], 124),
        ),
        end,
      ]),
    ],
    [
      "an owner that means nobody",
      joined([forged("0", 0, (block) => block.set([0x80, 0, 0, 0, 255, 255, 255, 255], 108)), end]),
    ],
    ["a pax header larger than any", joined([forged("x", 2_000_000), end])],
    [
      "many pax headers that are too large together",
      joined(
        Array.from({ length: 3 }, () =>
          joined([forged("x", 400_000), new Uint8Array(400_384).fill(32)]),
        ),
      ),
    ],
    ["a long name larger than any", joined([forged("L", 50_000_000), end])],
    ["a pax record without length", joined([pax("path=abc\n"), file, end])],
    ["a pax record longer than its header", joined([pax("99 path=abc\n"), file, end])],
    ["a pax record of no length", joined([pax("0 path=abc\n"), file, end])],
    ["a pax record without newline", joined([pax("11 path=abc"), file, end])],
    ["a pax record without key", joined([pax("6 =ab\n"), file, end])],
    ["a pax size that is not a number", joined([pax("11 size=x1\n"), file, end])],
    [
      "a pax size beyond all counting",
      joined([pax("26 size=9999999999999999\n".padStart(26)), file, end]),
    ],
    ["a pax time that is none", joined([pax("13 mtime=1e9\n"), file, end])],
    [
      "a sparse map out of order",
      joined([
        pax("26 GNU.sparse.map=9,1,2,1\n22 GNU.sparse.size=10\n"),
        forged("0", 2),
        padded(text("ab")),
        end,
      ]),
    ],
    [
      "a sparse map for more than is there",
      joined([
        pax("22 GNU.sparse.map=0,9\n22 GNU.sparse.size=10\n"),
        forged("0", 2),
        padded(text("ab")),
        end,
      ]),
    ],
    [
      "a sparse map beyond the file",
      joined([
        pax("22 GNU.sparse.map=9,2\n22 GNU.sparse.size=10\n"),
        forged("0", 2),
        padded(text("ab")),
        end,
      ]),
    ],
    [
      "a sparse file larger than the limit",
      joined([
        pax("22 GNU.sparse.map=0,0\n30 GNU.sparse.size=100000000000\n".replace("30", "32")),
        forged("0", 0),
        end,
      ]),
    ],
    [
      "a sparse map in the data without end",
      joined([
        pax("22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"),
        forged("0", 3_000_000),
        padded(text("9".repeat(3_000_000))),
      ]),
    ],
    [
      "a sparse map in the data with a giant count",
      joined([
        pax("22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"),
        forged("0", 1024),
        padded(text(`9999999\n${"1\n".repeat(500)}`)),
      ]),
    ],
    ["more entries than the limit", joined([...Array.from({ length: 1001 }, () => file), end])],
    ["more bytes than the limit", joined([forged("0", 11_000_000), end])],
  ];
  it.each(cases)("%s", async (_name, archive) => {
    await expect(readAll(archive)).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
  });
});

describe("is read as what it is:", () => {
  it("a link that claims contents", async () => {
    const archive = joined([
      forged("2", 100, (block) => block.set(text("target"), 157)),
      forged("0", 0, (block) => block.set(text("after"), 0)),
      end,
    ]);
    expect(await readAll(archive)).toEqual(["f", "after"]);
  });

  it("a pax value with newlines and equals signs in it", async () => {
    const archive = joined([pax("19 path=a\n9 path=b\n"), file, end]);
    expect(await readAll(archive)).toEqual(["a\n9 path=b"]);
  });

  it("a global pax header, which changes nothing", async () => {
    const body = text("13 path=evil\n");
    expect(await readAll(joined([forged("g", body.length), padded(body), file, end]))).toEqual([
      "f",
    ]);
  });
});

it("stops when the call is cancelled", async () => {
  const controller = new AbortController();
  controller.abort(new Error("enough"));
  const sink = { entry() {}, data() {}, end() {} };
  await expect(
    readTar(pieces(tarOf([{ path: "a" }])), sink, { signal: controller.signal }),
  ).rejects.toThrow("enough");
});

it("a hundred thousand entries take linear time", { timeout: 60_000 }, async () => {
  const time = async (count: number) => {
    const archive = tarOf(Array.from({ length: count }, (_, at) => ({ path: `.wh.${at}` })));
    const sink = { entry() {}, data() {}, end() {} };
    const start = process.cpuUsage();
    await readTar(pieces(archive, 65_536), sink, call);
    return process.cpuUsage(start).user;
  };
  await time(2_000);
  const [small, large] = [await time(5_000), await time(50_000)];
  expect(large / small).toBeLessThan(60);
});

it("never crashes or hangs on archives with bytes changed", async () => {
  const archive = tarOf([
    { path: "d/" },
    { path: `${"long/".repeat(30)}name`, data: "contents" },
    { path: "l", linkname: "target" },
    { path: "x", data: "y", xattrs: new Map([["user.a", new Uint8Array([1, 2])]]) },
  ]);
  const change = fc.tuple(
    fc.integer({ min: 0, max: archive.length - 1 }),
    fc.integer({ min: 0, max: 255 }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (changes, fix) => {
        const spoilt = archive.slice();
        for (const [at, value] of changes) spoilt[at] = value;
        // With checksums repaired the damage gets past the first gate.
        if (fix)
          for (let at = 0; at + 512 <= spoilt.length; at += 512)
            if (spoilt[at + 257] === 0x75) {
              spoilt.set(
                text(`${checksumOf(spoilt, at).toString(8).padStart(6, "0")}\0 `),
                at + 148,
              );
            }
        await readAll(spoilt).catch((error: unknown) =>
          expect(error).toMatchObject({ code: "ARCHIVE_INVALID" }),
        );
      },
    ),
    { numRuns: 300 },
  );
});
