// Is the store what it promises to be? For tests after crashes, and for those who doubt their disk.
import { type Call, isKilnError, throwIfAborted } from "../../base/index.ts";
import { openCacheContents } from "../cache/index.ts";
import type { UsageParts } from "./parts.ts";

/**
 * What is wrong, one sentence each; empty for a store in order. Reads every blob: all match their digests, all layers are whole,
 * every result that the cache remembers opens (as `opens` says), and every named image has its documents.
 */
export async function verifyStore(
  parts: UsageParts,
  opens: (id: string) => Promise<boolean>,
  call: Call,
): Promise<readonly string[]> {
  const problems: string[] = [];
  const blobs = new Set<string>();
  for await (const { digest, size } of parts.content.list()) {
    throwIfAborted(call);
    blobs.add(digest);
    try {
      for await (const _ of parts.content.read({ mediaType: "", digest, size }, call));
    } catch (error) {
      problems.push(`blob ${digest}: ${isKilnError(error) ? error.code : String(error)}`);
    }
  }
  problems.push(...parts.snapshotter.check());
  for (const { id, name } of openCacheContents(parts.metadata).list()) {
    throwIfAborted(call);
    if (!(await opens(id))) problems.push(`cache record of ${name}: its result ${id} is gone`);
  }
  for (const { name, descriptor } of parts.images.list()) {
    if (!blobs.has(descriptor.digest)) problems.push(`image ${name}: ${descriptor.digest} is gone`);
  }
  return problems;
}
