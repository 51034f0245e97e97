// Image names: completing, shortening, refusing.
import fc from "fast-check";
import { expect, test } from "vitest";
import { isKilnError } from "../../base/index.ts";
import {
  familiarReference,
  formatReference,
  isTag,
  parseExactReference,
  parseImageId,
  parsePullReference,
  parseReference,
  repositoryName,
  withDefaultTag,
} from "./index.ts";

const hex = "0123456789abcdef".repeat(4);

test.each([
  ["busybox", "docker.io/library/busybox", "busybox"],
  ["index.docker.io/busybox", "docker.io/library/busybox", "busybox"],
  ["user/app:1", "docker.io/user/app:1", "user/app:1"],
  ["localhost/app", "localhost/app", "localhost/app"],
  ["127.0.0.1:5000/app:1", "127.0.0.1:5000/app:1", "127.0.0.1:5000/app:1"],
  ["[::1]:5000/a/b", "[::1]:5000/a/b", "[::1]:5000/a/b"],
  ["Registry/app", "Registry/app", "Registry/app"],
  [`ghcr.io/a/b:1@sha256:${hex}`, `ghcr.io/a/b:1@sha256:${hex}`, `ghcr.io/a/b:1@sha256:${hex}`],
])("%s is %s, shown as %s", (text, whole, short) => {
  const reference = parseReference(text);
  expect(formatReference(reference)).toBe(whole);
  expect(familiarReference(reference)).toBe(short);
});

test.each([
  "",
  "a b",
  "-a",
  "a:",
  "a@sha256:123",
  "UPPER",
  "a/../b",
  "a//b",
  `a:${"x".repeat(129)}`,
  hex,
  "http://a/b",
  `a@md5:${hex}`,
  "x".repeat(100_000),
])("%j is refused", (text) => {
  expect(() => parseReference(text)).toThrow(
    expect.objectContaining({ code: "REFERENCE_INVALID" }),
  );
});

test("upper case gets the name in lower case as a hint", () => {
  expect(() => parseReference("MyApp:1")).toThrow(
    expect.objectContaining({ hint: 'Write "myapp:1".' }),
  );
});

test("with a digest, the tag does not count for pulling", () => {
  expect(formatReference(parsePullReference(`a:1@sha256:${hex}`))).toBe(
    `docker.io/library/a@sha256:${hex}`,
  );
  expect(formatReference(parsePullReference("a"))).toBe("docker.io/library/a:latest");
  expect(formatReference(withDefaultTag(parseReference("a")))).toBe("docker.io/library/a:latest");
});

test("image IDs are told from names", () => {
  expect(parseImageId(hex)).toBe(`sha256:${hex}`);
  expect(parseImageId(`sha256:${hex}`)).toBe(`sha256:${hex}`);
  expect(parseImageId("busybox")).toBeUndefined();
});

test("tags are what the grammar says", () => {
  for (const good of ["1", "v1.0-rc_2", "_x"]) expect(isTag(good)).toBe(true);
  for (const bad of ["", "-a", ".a", "a/b", "a:b", "x".repeat(129)]) expect(isTag(bad)).toBe(false);
});

test("what is written is read back", () => {
  const part = fc.stringMatching(/^[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}$/);
  const reference = fc.record({
    domain: fc.constantFrom("docker.io", "localhost:5000", "a.example", "[fd00::1]:443"),
    path: fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => `x/${parts.join("/")}`),
    tag: fc.option(fc.stringMatching(/^\w[\w.-]{0,20}$/), { nil: undefined }),
    digest: fc.constantFrom(undefined, `sha256:${hex}`),
  });
  fc.assert(
    fc.property(reference, (one) => {
      const written = JSON.parse(JSON.stringify(one)) as Parameters<typeof formatReference>[0];
      expect(parseReference(formatReference(written))).toEqual(written);
      expect(parseReference(familiarReference(written))).toEqual(written);
      expect(repositoryName(written)).toBe(`${one.domain}/${one.path}`);
    }),
  );
});

test("nothing but REFERENCE_INVALID comes out of reading", () => {
  const letters = fc.string({ unit: fc.constantFrom(..."aA0.:/@-_[]% \u0130é"), maxLength: 40 });
  fc.assert(
    fc.property(letters, (text) => {
      for (const parse of [parseReference, parseExactReference, parsePullReference]) {
        try {
          parse(text);
        } catch (error) {
          expect(isKilnError(error, "REFERENCE_INVALID")).toBe(true);
        }
      }
    }),
  );
});
