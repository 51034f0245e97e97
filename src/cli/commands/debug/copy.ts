// --copy: files out of a build that failed, onto this machine.
import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join, posix, resolve } from "node:path";
import type { ResultRef } from "../../../api/index.ts";
import { type Call, fromNodeError, KilnError } from "../../../base/index.ts";
import type { RunWorld } from "../command.ts";
import type { DebugTarget } from "./target.ts";

export interface Copy {
  /** In the build. */
  readonly from: string;
  /** Here, absolute. */
  readonly to: string;
}

/** Directories inside one another that are followed. */
const maxDepth = 256;
const types = { mask: 0o170000, directory: 0o040000, file: 0o100000, link: 0o120000 } as const;

/** Throws `FLAG_INVALID`. */
export function readCopies(texts: readonly string[], world: RunWorld): readonly Copy[] {
  return texts.map((text) => {
    const at = text.indexOf("=");
    const [from, to] = at === -1 ? [text, basename(text)] : [text.slice(0, at), text.slice(at + 1)];
    if (!from.startsWith("/") || to === "")
      throw new KilnError("FLAG_INVALID", `invalid value ${JSON.stringify(text)} of --copy`, {
        hint: "Write --copy /path/in/the/build=path/here.",
      });
    return { from: posix.normalize(from), to: resolve(world.cwd, to) };
  });
}

/** Into a directory that exists, as cp does; owners are not kept. Says what is not there. */
export async function copyOut(
  copies: readonly Copy[],
  { files, name }: DebugTarget,
  world: RunWorld,
  call: Call,
): Promise<void> {
  for (const { from, to } of copies) {
    if (!files || !(await files.stat(from, call))) {
      world.stderr.write(`${from} is not in ${name}\n`);
      continue;
    }
    const isPlace = existsSync(to) && statSync(to).isDirectory();
    const target = isPlace ? join(to, basename(from)) : to;
    try {
      await copyOne(files, from, target, 0, call);
    } catch (error) {
      throw error instanceof KilnError ? error : fromNodeError(error, `copying to ${target}`);
    }
    world.stderr.write(`copied ${from} to ${target}\n`);
  }
}

async function copyOne(
  files: ResultRef,
  from: string,
  to: string,
  depth: number,
  call: Call,
): Promise<void> {
  const stat = await files.stat(from, call);
  if (!stat) return;
  if ((stat.mode & types.mask) !== types.directory) {
    mkdirSync(dirname(to), { recursive: true });
    // A link that is here already must not lead the copy elsewhere.
    writeFileSync(to, await files.readFile(from, call), { flag: existsSync(to) ? "w" : "wx" });
    return chmodSync(to, stat.mode & 0o777);
  }
  if (depth > maxDepth) throw new KilnError("PATH_INVALID", `${from} lies too deep`);
  mkdirSync(to, { recursive: true });
  for (const { name, mode, linkname } of await files.entries(from, undefined, call)) {
    const [inner, outer] = [posix.join(from, name), join(to, name)];
    const type = mode & types.mask;
    if (type === types.link && linkname !== undefined) {
      if (!existsSync(outer)) symlinkSync(linkname, outer);
    } else if (type === types.directory || type === types.file)
      await copyOne(files, inner, outer, depth + 1, call);
  }
}
