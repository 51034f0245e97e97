// What `[[emulators.ARCHITECTURE]]` says of emulators.
import { expect, it } from "vitest";
import { readEmulators } from "./emulator-tables.ts";

const config = { file: "/etc/kiln/kiln.toml", text: "[[emulators.arm64]]\npath = 1\nsize = 2\n" };
const digest = `sha256:${"a".repeat(64)}`;

it("is read into a list as in KILN_QEMU, in order", () => {
  expect(readEmulators(undefined, config)).toBeUndefined();
  expect(readEmulators({}, config)).toBeUndefined();
  const tables = { arm64: [{ path: "/q/10", digest }, { path: "q7" }], arm: [{ path: "/q/arm" }] };
  expect(readEmulators(tables, config)).toBe(`arm64=/q/10@${digest}:arm64=/etc/kiln/q7:arm=/q/arm`);
});

it.each([
  [[], /emulators must hold tables/],
  [{ arm64: { path: "/q" } }, /write it as \[\[emulators.arm64\]\]/],
  [{ "arm/v7": [] }, /"arm\/v7" is not a processor/],
  [{ arm64: [{ path: 1 }] }, /kiln.toml:2: path must be the file/],
  [{ arm64: [{ path: "/a:b" }] }, /without a colon/],
  [{ arm64: [{ path: "/q", digest: "sha256:1" }] }, /digest must be/],
  [{ arm64: [{ path: "/q", size: 2 }] }, /kiln.toml:3: unknown key "size"/],
] as const)("refuses %j", (value, message) => {
  expect(() => readEmulators(value, config)).toThrow(message);
});
