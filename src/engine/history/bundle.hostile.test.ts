// Bundles of records that are damaged, lie about their contents, or are no bundles at all.
import { expect, it } from "vitest";
import type { BuildHistory, BuildRecord } from "../../api/index.ts";
import { type Bytes, digestOf, readAll, uncancelled } from "../../base/index.ts";
import { encodeTarHeader, gzip, tarEnd, tarPadding } from "../../formats/archive/index.ts";
import { readBundle, writeBundle } from "./bundle.ts";

const log = new TextEncoder().encode("what was said");
const digest = digestOf(log);
const record: BuildRecord = {
  ref: "one",
  frontend: "dockerfile.v0",
  attrs: { "cache-imports": '[{"Type":"s3","Attrs":{"ref":"r","secret_access_key":"k"}}]' },
  exporters: [],
  createdAt: new Date(1000),
  completedAt: new Date(2500),
  exporterResponse: {},
  logs: { mediaType: "application/vnd.buildkit.status.v0", digest, size: log.length },
  pinned: false,
  generation: 1,
  cachedSteps: 0,
  totalSteps: 1,
  completedSteps: 1,
  warnings: 0,
};
const history = {
  blob: async () => ({ size: log.length, data: pieces(log) }),
} as unknown as BuildHistory;

async function* pieces(...data: readonly Uint8Array[]): Bytes {
  yield* data;
}

const bundle = () =>
  readAll(
    writeBundle([{ record, history, defaultPlatform: "linux/amd64" }], uncancelled),
    1 << 20,
    "a bundle",
  );

async function archive(files: Readonly<Record<string, string>>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (const [path, text] of Object.entries(files)) {
    const data = new TextEncoder().encode(text);
    const header = { path, type: "file", mode: 0o644, uid: 0, gid: 0, mtime: 0n } as const;
    parts.push(encodeTarHeader({ ...header, size: data.length }), data);
    parts.push(new Uint8Array(tarPadding(data.length)));
  }
  return await readAll(gzip(pieces(...parts, tarEnd)), 1 << 20, "an archive");
}

const read = (data: Uint8Array) => readBundle(pieces(data), "the bundle", uncancelled);

it("a bundle comes back as it went, without what opens caches", async () => {
  const [found] = await read(await bundle());
  expect(found?.record).toEqual({
    ...record,
    attrs: { "cache-imports": '[{"Type":"s3","Attrs":{"ref":"r"}}]' },
  });
  expect(Uint8Array.from(found?.files.get(digest) ?? [])).toEqual(log);
});

it("a bundle that is cut off is refused", async () => {
  const whole = await bundle();
  await expect(read(whole.subarray(0, whole.length / 2))).rejects.toMatchObject({
    code: "ARCHIVE_INVALID",
  });
});

it.each([
  ["nothing", {}],
  ["an index that is no JSON", { "index.json": "{" }],
  ["an index of nothing", { "index.json": '{"manifests":[]}' }],
  ["a digest that leads elsewhere", { "index.json": '{"manifests":[{"digest":"../../etc"}]}' }],
  [
    "a manifest that is missing",
    { "index.json": `{"manifests":[{"digest":"sha256:${"0".repeat(64)}"}]}` },
  ],
  [
    "contents with another digest",
    { "index.json": '{"manifests":[]}', [`blobs/sha256/${"0".repeat(64)}`]: "lie" },
  ],
])("%s is refused", async (_what, files) => {
  await expect(read(await archive(files))).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
});
