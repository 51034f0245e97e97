// What `[worker.oci]` says of collecting.
import { expect, it } from "vitest";
import { readGc } from "./gc-tables.ts";

const text = "[worker.oci]\ngc = 1\nreservedSpace = 'x'\n";
const read = (oci: unknown) => readGc({ oci }, { file: "/kiln.toml", text });

it("is read in buildkitd.toml's form", () => {
  expect(readGc(undefined, { file: "/kiln.toml", text })).toEqual({});
  expect(
    read({
      enabled: true,
      gc: false,
      reservedSpace: "10%",
      maxUsedSpace: 1000,
      gcpolicy: [
        { keepDuration: "48h", filters: ["type==source.local,until=1h"], minFreeSpace: "1GB" },
        { all: true, keepBytes: 5 },
      ],
    }),
  ).toEqual({
    enabled: false,
    reservedSpace: { percent: 10 },
    maxUsedSpace: { bytes: 1000 },
    policies: [
      {
        keepDuration: 172_800_000,
        filters: ["type==source.local,until=1h"],
        minFreeSpace: { bytes: 1024 ** 3 },
      },
      { all: true, reservedSpace: { bytes: 5 } },
    ],
  });
});

const wrong: [unknown, RegExp][] = [
  [{ gc: 1 }, /kiln.toml:2: gc must be true or false/],
  [{ reservedSpace: "x" }, /kiln.toml:3: reservedSpace must be bytes/],
  [{ gcpolicy: {} }, /\[\[worker.oci.gcpolicy\]\]/],
  [{ gcpolicy: [{ filters: ["size=1"] }] }, /there is no key size to filter by/],
  [{ gcpolicy: [{ keepDuration: "x" }] }, /keepDuration must be/],
  [1, /must be a table/],
];
it.each(wrong)("%j is refused with its line", (oci, why) => {
  expect(() => read(oci)).toThrow(why);
});
