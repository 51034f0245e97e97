// Package lists of images from anybody: damaged, endless or misleading ones do no harm.
import { expect, it } from "vitest";
import { findPackages, type ScanView } from "./packages.ts";

const encode = (text: string) => new TextEncoder().encode(text);

function viewOf(
  files: Readonly<Record<string, string>>,
  list: ScanView["list"] = () => undefined,
): ScanView {
  return { list, read: (path) => (path in files ? encode(files[path] ?? "") : undefined) };
}

it("directories that never end are left at some depth", () => {
  let asked = 0;
  const view = viewOf({}, () => {
    asked++;
    return ["again"];
  });
  expect(findPackages(view)).toEqual([]);
  expect(asked).toBeLessThan(100);
});

it("packages of npm that are no packages are left out", () => {
  const names = ["a", "b", "c", "d"];
  const at = (name: string) => `/node_modules/${name}/package.json`;
  const files = {
    [at("a")]: "[]",
    [at("b")]: '{"name":1,"version":2}',
    [at("c")]: "null",
    [at("d")]: "{",
  };
  const view = viewOf(files, (path) => {
    if (path === "/") return ["node_modules"];
    if (path === "/node_modules") return names;
    return names.some((name) => path === `/node_modules/${name}`) ? ["package.json"] : undefined;
  });
  expect(findPackages(view)).toEqual([]);
});

it("a list of 50,000 packages with hostile names takes linear time", () => {
  const block = (index: number) =>
    `Package: p${index}\nStatus: install ok installed\nVersion: 1\n ${" ".repeat(200)}\n\n`;
  const status = Array.from({ length: 50_000 }, (_, index) => block(index)).join("");
  const begin = performance.now();
  const { length } = findPackages(viewOf({ "/var/lib/dpkg/status": status }));
  expect(length).toBeGreaterThan(0);
  expect(performance.now() - begin).toBeLessThan(5000);
});
