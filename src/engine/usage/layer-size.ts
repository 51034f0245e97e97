// How large a layer is, remembered beside it: committed layers never change.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { processTag } from "../../base/index.ts";
import type { TreeSizer } from "./tree-size.ts";

/**
 * Bytes on disk of the layer's directory. With `remember`, what was found before is believed; it must then share no files
 * with others.
 */
export async function layerSize(
  path: string,
  sizer: TreeSizer,
  remember: boolean,
): Promise<number> {
  const file = `${path}/size`;
  const known = remember ? read(file) : undefined;
  if (known !== undefined) return known;
  const size = await sizer.size(path, (one) => one === file);
  // The note's own block is known only now; the next time it is right to the byte.
  if (remember) write(file, size);
  return size;
}

/** Undefined where it is missing or torn. */
function read(file: string): number | undefined {
  try {
    const match = /^(\d+)\n$/.exec(readFileSync(file, "latin1"));
    return match?.[1] === undefined ? undefined : Number(match[1]);
  } catch {
    return undefined;
  }
}

const noteSize = 4096;

function write(file: string, size: number): void {
  const temporary = `${file}-${processTag()}`;
  try {
    writeFileSync(temporary, `${size + noteSize}\n`);
    renameSync(temporary, file);
  } catch {
    // A full disk, or a layer that is gone: measured again the next time.
  }
}
