// Platforms: reading, writing, matching, choosing.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isKilnError } from "../../base/index.ts";
import {
  formatPlatform,
  formatPlatformFully,
  formatPlatforms,
  hostPlatform,
  matchInOrder,
  matchPlatform,
  matchPlatformExactly,
  nearestPlatform,
  normalizePlatform,
  type Platform,
  parsePlatform,
  parsePlatformList,
  samePlatform,
  selectByPlatform,
} from "./index.ts";

const host = hostPlatform("x64");
const parse = (text: string) => parsePlatform(text, host);

test.each([
  ["linux/arm/v7", { os: "linux", architecture: "arm", variant: "v7" }],
  ["linux/arm64/v8", { os: "linux", architecture: "arm64", variant: "v8" }],
  ["arm64", { os: "linux", architecture: "arm64" }],
  ["linux", { os: "linux", architecture: "amd64" }],
  ["Linux/x86_64", { os: "linux", architecture: "amd64" }],
  ["local", { os: "linux", architecture: "amd64" }],
  [
    "windows(10.0.17763+win32k)/amd64",
    { os: "windows", architecture: "amd64", osVersion: "10.0.17763", osFeatures: ["win32k"] },
  ],
])("%s is read", (text, expected) => {
  expect(parse(text)).toEqual(expected);
});

test.each([
  "",
  "linux/",
  "linux/arm/v7/x",
  "linux/&arm",
  "lunix",
  "linux(%)/amd64",
  "a".repeat(2000),
])("%j is refused", (text) => {
  expect(() => parse(text)).toThrow(expect.objectContaining({ code: "PLATFORM_INVALID" }));
});

test("a misspelt word gets the known one", () => {
  expect(() => parse("amd46")).toThrow(expect.objectContaining({ hint: 'Did you mean "amd64"?' }));
});

test("a list is normalised, each platform once", () => {
  const names = parsePlatformList("linux/amd64, linux/arm64/v8,arm64,linux/arm", host).map(
    formatPlatform,
  );
  expect(names).toEqual(["linux/amd64", "linux/arm64", "linux/arm/v7"]);
});

test.each([
  ["x64", "linux/amd64"],
  ["arm64", "linux/arm64"],
  ["arm", "linux/arm/v7"],
  ["ia32", "linux/386"],
  ["ppc64", "linux/ppc64le"],
  ["s390x", "linux/s390x"],
  ["riscv64", "linux/riscv64"],
])("a machine that Node calls %s is %s", (node, expected) => {
  expect(formatPlatform(hostPlatform(node))).toBe(expected);
});

test("what is written is read back", () => {
  const word = fc.stringMatching(/^[a-z0-9_.-]{1,12}$/);
  const text = fc
    .string({ minLength: 1, maxLength: 12 })
    .filter((one) => /^[A-Za-z0-9_.%+()/-]+$/.test(one));
  const platform = fc.record({
    os: fc.constantFrom("linux", "windows", "darwin", "freebsd"),
    architecture: word,
    variant: fc.option(word, { nil: undefined }),
    osVersion: fc.option(text, { nil: undefined }),
    osFeatures: fc.option(fc.array(text, { minLength: 1, maxLength: 3 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(platform, (one) => {
      const normal = normalizePlatform(JSON.parse(JSON.stringify(one)) as Platform);
      expect(normalizePlatform(parse(formatPlatformFully(normal)))).toEqual(normal);
      expect(samePlatform(normal, JSON.parse(JSON.stringify(one)) as Platform)).toBe(true);
    }),
  );
});

test("nothing but PLATFORM_INVALID comes out of reading", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      try {
        parse(text);
      } catch (error) {
        expect(isKilnError(error, "PLATFORM_INVALID")).toBe(true);
      }
    }),
  );
});

describe("matching", () => {
  test.each([
    ["linux/arm/v7", "linux/arm/v6", true],
    ["linux/arm/v6", "linux/arm/v7", false],
    ["linux/amd64/v3", "linux/amd64", true],
    ["linux/amd64", "linux/386", true],
    ["linux/amd64", "linux/amd64/v2", false],
    ["linux/arm64", "linux/arm/v7", true],
    ["linux/arm64/v9", "linux/arm64/v8.5", true],
    ["linux/arm64/v9", "linux/arm64/v8.6", false],
    ["linux/arm64", "windows/arm64", false],
    ["windows(10.0.20348.1)/amd64", "windows(10.0.20348.9)/amd64", true],
    ["windows(10.0.26100)/amd64", "windows(10.0.20348)/amd64", true],
    ["windows(10.0.17763)/amd64", "windows(10.0.14393)/amd64", false],
    ["linux(+gpu)/amd64", "linux/amd64", true],
    ["linux/amd64", "linux(+gpu)/amd64", false],
  ])("%s runs %s: %s", (machine, image, expected) => {
    expect(matchPlatform(parse(machine)).matches(parse(image))).toBe(expected);
  });

  test("prefers the nearest", () => {
    const matcher = matchPlatform(parse("linux/arm/v7"));
    const offered = ["linux/arm/v5", "linux/arm/v7", "linux/amd64", "linux/arm/v6"].map(parse);
    expect(offered.sort(matcher.compare).map(formatPlatform)).toEqual([
      "linux/arm/v7",
      "linux/arm/v6",
      "linux/arm/v5",
      "linux/amd64",
    ]);
  });

  test("exactly means exactly, in any spelling", () => {
    expect(matchPlatformExactly(parse("amd64")).matches(parse("386"))).toBe(false);
    expect(matchPlatformExactly(parse("arm64")).matches(parse("linux/aarch64/v8"))).toBe(true);
  });

  test("in order means the first first", () => {
    const matcher = matchInOrder([parse("arm64"), parse("amd64")]);
    expect(matcher.compare(parse("arm64"), parse("amd64"))).toBeLessThan(0);
    expect(matcher.matches(parse("s390x"))).toBe(false);
  });

  test("comparing is an order", () => {
    const names = [
      "linux/amd64",
      "linux/386",
      "linux/arm/v6",
      "linux(+gpu)/amd64",
      "linux(+gpu)/386",
      "windows/amd64",
      "linux/arm64/v8.2",
    ];
    const one = fc.constantFrom(...names.map(parse));
    fc.assert(
      fc.property(one, one, one, one, (machine, a, b, c) => {
        const { compare } = matchPlatform(machine);
        expect(Math.sign(compare(a, b))).toBe(-Math.sign(compare(b, a)) + 0);
        if (compare(a, b) < 0 && compare(b, c) < 0) expect(compare(a, c)).toBeLessThan(0);
      }),
    );
  });
});

test("of an index, what matches is chosen, best first, and attestations never", () => {
  const digest = `sha256:${"0".repeat(64)}` as never;
  const entry = (platform: Platform | undefined, size: number) => ({
    mediaType: "m",
    digest,
    size,
    ...(platform ? { platform } : {}),
  });
  const index = [
    entry(parse("linux/arm/v6"), 1),
    entry({ os: "unknown", architecture: "unknown" }, 2),
    entry(undefined, 3),
    entry(parse("linux/arm/v7"), 4),
  ];
  expect(
    selectByPlatform(index, matchPlatform(parse("linux/arm/v7"))).map(({ size }) => size),
  ).toEqual([4, 1]);
});

test("the nearest offered platform is the one of the same processor, else of the same family", () => {
  const offered = ["windows/amd64", "linux/s390x", "linux/arm/v5"].map(parse);
  const nearest = (wanted: string) => {
    const found = nearestPlatform(parse(wanted), offered);
    return found && formatPlatform(found);
  };
  expect(nearest("linux/amd64")).toBe("windows/amd64");
  expect(nearest("linux/arm64")).toBe("linux/arm/v5");
  expect(nearest("linux/riscv64")).toBeUndefined();
});

test("lists for people leave attestations out", () => {
  expect(
    formatPlatforms([
      parse("arm64"),
      { os: "unknown", architecture: "unknown" },
      parse("linux/arm64/v8"),
    ]),
  ).toBe("linux/arm64");
});
