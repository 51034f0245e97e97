import { expect, it } from "vitest";
import { formatPlatform } from "../../../formats/oci/index.ts";
import type { Emulator } from "./emulators.ts";
import { prefixEmulations } from "./host-handlers.ts";
import { type EmulationMode, Platforms } from "./platforms.ts";

const installed: readonly Emulator[] = [
  { architecture: "riscv64", path: "/q/riscv64" },
  { architecture: "arm64", path: "/q/arm64" },
];
const riscv64 = { os: "linux", architecture: "riscv64" };

/** Prefers handlers of its own, which the kernel grants or refuses; the machine's are not asked. */
function platforms(mode: EmulationMode, granted: boolean): Platforms {
  return new Platforms({
    machine: { nodeArchitecture: "x64", cpuinfo: "", runs32Bit: true },
    directory: "/nowhere",
    mode,
    preferPrivate: true,
    openPrivate: async () => {
      if (!granted) throw new Error("EPERM");
      return { emulators: installed, enter: [], async [Symbol.asyncDispose]() {} };
    },
    prefix: (native, emulators = installed) => prefixEmulations(emulators, native, "prefix"),
    named: () => [...installed, { architecture: "riscv64", path: "/q/other" }],
    openOther: async () => {
      throw new Error("EPERM");
    },
  });
}

it("prefixed programs name their emulator, in the order that builders list processors", () => {
  const ways = prefixEmulations(installed, new Set(), "prefix");
  expect(
    ways.map(({ kind, prefix, platforms: [one] }) => [kind, prefix, one && formatPlatform(one)]),
  ).toEqual([
    ["prefix", "/q/arm64", "linux/arm64"],
    ["prefix", "/q/riscv64", "linux/riscv64"],
  ]);
});

it.each([
  ["the kernel comes first where it starts emulators", "auto", "private-handler"],
  ["but not where they are to be put before programs", "prefix", "prefix"],
] as const)("%s", async (_, mode, kind) => {
  await using one = platforms(mode, true);
  expect((await one.find(riscv64)).kind).toBe(kind);
});

it("nothing is put before programs where the kernel is to do it", async () => {
  await using one = platforms("private", false);
  await expect(one.find(riscv64)).rejects.toMatchObject({ code: "EMULATOR_MISSING" });
});

it("a crashed step goes on with the next emulator, prefixed where that cannot be registered", async () => {
  for (const mode of ["auto", "prefix"] as const) {
    await using one = platforms(mode, true);
    expect(await one.attempt(riscv64, 1)).toMatchObject({ kind: "prefix", prefix: "/q/other" });
    expect(await one.attempt(riscv64, 2)).toBeUndefined();
  }
});
