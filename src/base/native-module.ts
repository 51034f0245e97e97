// Native modules, taken from where npm puts them: Node's look-up reads a dozen files first, which takes longer than loading.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The version of koffi that package.json names (a test compares). */
export const koffiVersion = "3.3.4";

let koffi: unknown;

/** koffi, through which system calls are made that Node does not offer. Throws as `require` does where it is not installed. */
export function requireKoffi(): unknown {
  koffi ??= prebuiltKoffi() ?? createRequire(import.meta.url)("koffi");
  return koffi;
}

/**
 * `files` of the package `name`, the first that loads; undefined where the nearest package of this name is of another
 * version, or none of them loads.
 */
export function loadPrebuilt(name: string, version: string, files: readonly string[]): unknown {
  const directory = nearestPackage(name, version);
  if (directory === undefined) return undefined;
  const load = createRequire(import.meta.url);
  for (const file of files) {
    try {
      return load(join(directory, file));
    } catch {}
  }
  return undefined;
}

/** What koffi's own loader comes to. Where there is musl, that one finds out which of two files is meant. */
function prebuiltKoffi(): unknown {
  const { platform, arch } = process;
  if (["x86_64", "aarch64", "armhf"].some((cpu) => existsSync(`/lib/ld-musl-${cpu}.so.1`))) return;
  const files = [`${platform}_${arch}/koffi.node`];
  return loadPrebuilt(`@koromix/koffi-${platform}-${arch}`, koffiVersion, files);
}

/** As Node looks for packages; undefined where the first one found is of another version. */
function nearestPackage(name: string, version: string): string | undefined {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    const directory = join(at, "node_modules", name);
    const manifest = readManifest(directory);
    if (manifest) return manifest.version === version ? directory : undefined;
    if (at === dirname(at)) return undefined;
  }
}

function readManifest(directory: string): { readonly version?: unknown } | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
  } catch {
    return undefined;
  }
}
