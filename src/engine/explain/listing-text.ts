// Listings of contents as text that is short enough to be kept: a hundred thousand paths in about two megabytes.
import { Buffer } from "node:buffer";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { ContentListing } from "../solver/index.ts";

/** Far more than a listing takes: what is kept may be damaged. In bytes. */
const mostText = 256 * 1024 * 1024;

/** A listing as it is kept. */
export interface PackedListing {
  /** Paths and what counts of them, by turns, ended by NUL; deflated, as base64. */
  readonly packed: string;
  readonly cut?: true;
}

export function packListing({ paths, isCut }: ContentListing): PackedListing {
  const parts: string[] = [];
  for (const [path, facts] of paths) parts.push(path, facts);
  const text = `${parts.join("\0")}\0`;
  // The fastest level: half of it are digests, which nothing makes shorter.
  const packed = deflateRawSync(text, { level: 1 }).toString("base64");
  return isCut ? { packed, cut: true } : { packed };
}

/** Undefined for what is no listing: it has been damaged, or was written by another version. */
export function unpackListing(kept: unknown): ContentListing | undefined {
  const { packed, cut } = (kept ?? {}) as Partial<PackedListing>;
  if (typeof packed !== "string") return undefined;
  try {
    const data = inflateRawSync(Buffer.from(packed, "base64"), { maxOutputLength: mostText });
    const parts = data.toString("utf8").split("\0");
    const paths = new Map<string, string>();
    for (let at = 0; at + 1 < parts.length; at += 2)
      paths.set(parts[at] ?? "", parts[at + 1] ?? "");
    return { paths, isCut: cut === true };
  } catch {
    return undefined;
  }
}
