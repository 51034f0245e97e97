// What differs between two images of one platform: configuration, layers, files.
import { isRecord } from "../../base/index.ts";
import type { ImageFile } from "./image-files.ts";

/** One value that differs; undefined where one side has none. */
export interface ValueChange {
  /** Such as `config.Env.PATH`. */
  readonly name: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** One path that differs. */
export interface FileChange {
  readonly path: string;
  readonly kind: "added" | "removed" | "changed";
  /** What of it differs, in words: `contents`, `mode 0644 → 0755`. */
  readonly what: readonly string[];
  /** Indexes of the layers that it is from. */
  readonly layers: readonly [before: number | undefined, after: number | undefined];
}

/** Differences of two configurations as JSON; lists of `NAME=value` are compared by name. */
export function compareConfigs(before: unknown, after: unknown): readonly ValueChange[] {
  const [a, b] = [flatten(before), flatten(after)];
  const names = [...new Set([...a.keys(), ...b.keys()])].sort();
  return names
    .filter((name) => a.get(name) !== b.get(name))
    .map((name) => ({ name, before: a.get(name), after: b.get(name) }));
}

/** Where layers are listed, and so compared, apart. */
const apart = new Set(["rootfs"]);

function flatten(value: unknown): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const visit = (name: string, one: unknown): void => {
    if (isRecord(one) && name !== "" && Object.keys(one).length === 0) {
      // Ports and volumes are there without a value.
      found.set(name, "{}");
    } else if (isRecord(one)) {
      for (const [key, member] of Object.entries(one)) {
        if (name === "" && apart.has(key)) continue;
        visit(name === "" ? key : `${name}.${key}`, member);
      }
    } else if (Array.isArray(one) && /\.Env$/.test(name)) {
      for (const pair of one) {
        const [key = "", ...rest] = String(pair).split("=");
        found.set(`${name}.${key}`, rest.join("="));
      }
    } else if (Array.isArray(one) && one.some(isRecord)) {
      one.forEach((member, index) => {
        visit(`${name}[${index}]`, member);
      });
    } else if (one !== undefined) {
      found.set(name, typeof one === "string" ? one : JSON.stringify(one));
    }
  };
  visit("", value);
  return found;
}

/** Differences of two trees, by path. Times count unless `ignoreTimes`. */
export function compareFiles(
  before: ReadonlyMap<string, ImageFile>,
  after: ReadonlyMap<string, ImageFile>,
  { ignoreTimes = false }: { readonly ignoreTimes?: boolean } = {},
): readonly FileChange[] {
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort();
  return paths.flatMap((path): readonly FileChange[] => {
    const [a, b] = [before.get(path), after.get(path)];
    const layers = [a?.layer, b?.layer] as const;
    if (!a) return [{ path, kind: "added", what: b ? [describe(b)] : [], layers }];
    if (!b) return [{ path, kind: "removed", what: [describe(a)], layers }];
    const what = differences(a, b, ignoreTimes);
    return what.length === 0 ? [] : [{ path, kind: "changed", what, layers }];
  });
}

function describe({ header }: ImageFile): string {
  if (header.type === "file") return `${header.size} bytes`;
  return header.linkname === undefined ? header.type : `${header.type} to ${header.linkname}`;
}

function differences(a: ImageFile, b: ImageFile, ignoreTimes: boolean): readonly string[] {
  const [x, y] = [a.header, b.header];
  if (x.type !== y.type) return [`${x.type} → ${y.type}`];
  const what: string[] = [];
  if (a.digest !== b.digest) what.push(contentsText(a, b));
  if (x.linkname !== y.linkname) what.push(`target ${x.linkname} → ${y.linkname}`);
  if (x.mode !== y.mode) what.push(`mode ${octal(x.mode)} → ${octal(y.mode)}`);
  if (x.uid !== y.uid || x.gid !== y.gid) what.push(`owner ${x.uid}:${x.gid} → ${y.uid}:${y.gid}`);
  if (attributes(x.xattrs) !== attributes(y.xattrs)) what.push("extended attributes");
  if (x.devMajor !== y.devMajor || x.devMinor !== y.devMinor) what.push("device number");
  if (!ignoreTimes && x.mtime !== y.mtime) what.push(`time ${time(x.mtime)} → ${time(y.mtime)}`);
  return what;
}

function contentsText(a: ImageFile, b: ImageFile): string {
  const [before, after] = [a.header.size, b.header.size];
  return before === after ? `contents (${before} bytes)` : `contents ${before} → ${after} bytes`;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

function time(nanoseconds: bigint): string {
  const text = new Date(Number(nanoseconds / 1_000_000n)).toISOString();
  return text.replace(".000Z", "Z");
}

function attributes(xattrs: ReadonlyMap<string, Uint8Array> | undefined): string {
  return [...(xattrs ?? [])]
    .map(([name, value]) => `${name}=${Array.from(value).join(",")}`)
    .sort()
    .join("\n");
}
