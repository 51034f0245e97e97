// Small tar archives for tests, written entry by entry.
import type { Bytes } from "../../src/base/index.ts";
import {
  encodeTarHeader,
  type TarHeader,
  tarEnd,
  tarPadding,
} from "../../src/formats/archive/index.ts";

/** What a test wants to say about an entry; the rest has plain defaults. */
export type TarSpec = Partial<Omit<TarHeader, "path" | "size">> & {
  readonly path: string;
  readonly data?: string | Uint8Array;
};

/** The archive's bytes. A path that ends in a slash is a directory; one with a `linkname` a symbolic link unless `type` says otherwise. */
export function tarOf(entries: readonly TarSpec[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { data = "", ...spec } of entries) {
    const body = typeof data === "string" ? new TextEncoder().encode(data) : data;
    const type =
      spec.type ??
      (spec.path.endsWith("/") ? "directory" : spec.linkname === undefined ? "file" : "symlink");
    const mode = spec.mode ?? (type === "directory" ? 0o755 : 0o644);
    const header = {
      uid: 0,
      gid: 0,
      mtime: 1_700_000_000_000_000_000n,
      ...spec,
      mode,
      type,
      size: type === "file" ? body.length : 0,
    };
    parts.push(encodeTarHeader(header));
    if (type === "file") parts.push(body, new Uint8Array(tarPadding(body.length)));
  }
  parts.push(tarEnd);
  return joined(parts);
}

/** All pieces in one array. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Everything that a stream yields, in one array. */
export async function gathered(data: Bytes): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of data) parts.push(chunk);
  return joined(parts);
}

/** A stream of `data` in pieces of `size` bytes. */
export async function* pieces(data: Uint8Array, size: number = data.length): Bytes {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}
