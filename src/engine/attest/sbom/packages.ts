// What package managers have written down in a file system: Debian's dpkg, Alpine's apk, npm.
import { parseJson } from "../../../base/index.ts";

/** One installed package. */
export interface FoundPackage {
  readonly kind: "deb" | "apk" | "npm";
  readonly name: string;
  readonly version: string;
  readonly architecture?: string;
  readonly license?: string;
  readonly supplier?: string;
  /** The package that it was built from, where that has another name. */
  readonly source?: string;
  /** File that names it. */
  readonly path: string;
}

/** A read-only file system. Paths are absolute; links are followed within it. */
export interface ScanView {
  /** Undefined where there is no such directory. */
  list(path: string): readonly string[] | undefined;
  /** Undefined where there is no such regular file, or it is larger than `limit` bytes. */
  read(path: string, limit: number): Uint8Array | undefined;
}

/** Largest list of packages that is read, in bytes. */
const maxListSize = 64 * 1024 * 1024;
/** Largest `package.json`. */
const maxPackageSize = 1024 * 1024;
/** Directories are searched this deep for npm's packages. */
const maxDepth = 48;
/** Most directories that are looked into. */
const maxDirectories = 200_000;

/** All of them, sorted, each once. What cannot be read is left out: a bill of materials says what it knows. */
export function findPackages(view: ScanView): readonly FoundPackage[] {
  const found = [...debian(view), ...alpine(view), ...npm(view)];
  const keyed = found.map((one) => [`${one.kind} ${one.name} ${one.version} ${one.path}`, one]);
  return [...new Map(keyed as [string, FoundPackage][])]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, one]) => one);
}

/** `ID` and `VERSION_ID` of os-release(5), and its `PRETTY_NAME`. */
export function readOsRelease(view: ScanView): Readonly<Record<string, string>> {
  const data = view.read("/etc/os-release", 65536) ?? view.read("/usr/lib/os-release", 65536);
  const lines = data ? text(data).split("\n") : [];
  const pairs = lines.flatMap((line) => {
    const [, key, value] = /^([A-Z_]+)=["']?(.*?)["']?\s*$/.exec(line) ?? [];
    return key && value !== undefined ? [[key, value] as const] : [];
  });
  return Object.fromEntries(pairs);
}

function* debian(view: ScanView): Iterable<FoundPackage> {
  const status = "/var/lib/dpkg/status";
  // Images without a package manager have one file for each package.
  const single = (view.list("/var/lib/dpkg/status.d") ?? [])
    .filter((name) => !name.endsWith(".md5sums"))
    .map((name) => `/var/lib/dpkg/status.d/${name}`);
  for (const path of [status, ...single]) {
    for (const fields of paragraphs(view.read(path, maxListSize), /^([A-Za-z-]+):\s*(.*)$/)) {
      const { Package: name, Version: version } = fields;
      const installed = path !== status || / installed$/.test(fields["Status"] ?? "");
      if (!name || !version || !installed) continue;
      const source = fields["Source"]?.replace(/ .*/, "");
      yield {
        kind: "deb",
        name,
        version,
        path,
        ...optional("architecture", fields["Architecture"]),
        ...optional("supplier", fields["Maintainer"]),
        ...optional("source", source === name ? undefined : source),
      };
    }
  }
}

function* alpine(view: ScanView): Iterable<FoundPackage> {
  for (const path of ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"]) {
    for (const fields of paragraphs(view.read(path, maxListSize), /^([A-Za-z]):(.*)$/)) {
      const { P: name, V: version, o: origin } = fields;
      if (!name || !version) continue;
      yield {
        kind: "apk",
        name,
        version,
        path,
        ...optional("architecture", fields["A"]),
        ...optional("license", fields["L"]),
        ...optional("supplier", fields["m"]),
        ...optional("source", origin === name ? undefined : origin),
      };
    }
  }
}

/** Blocks of `key: value` between empty lines; continuation lines are no values of their own. */
function* paragraphs(data: Uint8Array | undefined, line: RegExp) {
  for (const block of data ? text(data).split(/\n\s*\n/) : []) {
    const fields: Record<string, string> = {};
    for (const one of block.split("\n")) {
      const [, key, value] = line.exec(one) ?? [];
      if (key !== undefined && value !== undefined) fields[key] ??= value.trim();
    }
    yield fields;
  }
}

/** Directories of the running system, which an image does not fill. */
const skipped = new Set(["/proc", "/sys", "/dev"]);

function* npm(view: ScanView): Iterable<FoundPackage> {
  let seen = 0;
  const open: { readonly path: string; readonly depth: number }[] = [{ path: "/", depth: 0 }];
  for (let at = open.pop(); at !== undefined && seen < maxDirectories; at = open.pop()) {
    const { path, depth } = at;
    const names = view.list(path);
    if (!names || skipped.has(path)) continue;
    seen++;
    const modules = /\/node_modules(\/@[^/]+)?\/[^/]+$/.test(path) && !/\/@[^/]+$/.test(path);
    if (modules && names.includes("package.json")) yield* npmPackage(view, `${path}/package.json`);
    if (depth >= maxDepth) continue;
    for (const name of names)
      open.push({ path: path === "/" ? `/${name}` : `${path}/${name}`, depth: depth + 1 });
  }
}

function* npmPackage(view: ScanView, path: string): Iterable<FoundPackage> {
  const data = view.read(path, maxPackageSize);
  let document: unknown;
  try {
    document = data && parseJson(text(data), path);
  } catch {
    return;
  }
  if (typeof document !== "object" || document === null) return;
  const { name, version, license } = document as Record<string, unknown>;
  if (typeof name !== "string" || typeof version !== "string") return;
  yield {
    kind: "npm",
    name,
    version,
    path,
    ...optional("license", typeof license === "string" ? license : undefined),
  };
}

function text(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

function optional<K extends string>(
  key: K,
  value: string | undefined,
): { readonly [key in K]?: string } {
  return (value ? { [key]: value } : {}) as { readonly [key in K]?: string };
}
