// Native modules are those that package.json names, found without Node's look-up.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { koffiVersion, loadPrebuilt, requireKoffi } from "./native-module.ts";

const manifest = JSON.parse(
  readFileSync(resolve(import.meta.dirname, "../../package.json"), "utf8"),
) as { optionalDependencies: Record<string, string> };
const { platform, arch } = process;
const name = `@lmdb/lmdb-${platform}-${arch}`;
const files = ["node.napi.glibc.node", "node.napi.musl.node"];

it("koffi is the package's and calls libc", () => {
  expect(koffiVersion).toBe(manifest.optionalDependencies["koffi"]);
  const koffi = requireKoffi() as {
    version: string;
    load(path: null): { func(prototype: string): () => number };
  };
  expect(koffi.version).toBe(koffiVersion);
  expect(koffi.load(null).func("int getpid()")()).toBe(process.pid);
  expect(requireKoffi()).toBe(koffi);
});

it("a prebuilt file is loaded, the first that can be", () => {
  const version = manifest.optionalDependencies["lmdb"] ?? "";
  expect(loadPrebuilt(name, version, ["absent.node", ...files])).toHaveProperty("Env");
});

it("nothing is loaded of another version, of no package, or without a file", () => {
  expect(loadPrebuilt(name, "0.0.1", files)).toBeUndefined();
  expect(loadPrebuilt("@lmdb/lmdb-of-nobody", "1.0.0", files)).toBeUndefined();
  expect(
    loadPrebuilt(name, manifest.optionalDependencies["lmdb"] ?? "", ["absent.node"]),
  ).toBeUndefined();
});
