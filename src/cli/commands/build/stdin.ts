// What comes on standard input: a Dockerfile, or an archive with the whole context.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type AsyncStack,
  type Bytes,
  concatBytes,
  KilnError,
  limited,
  readAll,
} from "../../../base/index.ts";
import { detectCompression, isTarHeader } from "../../../formats/archive/index.ts";
import type { RunWorld } from "../command.ts";

/** Either a directory with the Dockerfile (and an empty directory `context`), or an archive that can be read once. */
export type StdinSource =
  | { readonly kind: "dockerfile"; readonly directory: string }
  | { readonly kind: "archive"; readonly data: Bytes };

/** A Dockerfile is text; more than this is something else. */
const maxStdinDockerfile = 4 * 1024 * 1024;
/** A tar header's length: enough to tell an archive. */
const headLength = 512;

/** Reads what `-` or `-f -` promises; undefined where none is promised. */
export async function readStdin(
  context: string,
  file: string,
  stack: AsyncStack,
  world: RunWorld,
): Promise<StdinSource | undefined> {
  if (context !== "-" && file !== "-") return undefined;
  if (context === "-" && file === "-") {
    throw new KilnError(
      "FLAG_INVALID",
      "standard input cannot be both the context and its Dockerfile",
      { hint: "Leave out -f: a Dockerfile on standard input is built without a context." },
    );
  }
  const { head, data } = await peek(world.stdin);
  const archive = detectCompression(head) !== "none" || isTarHeader(head.subarray(0, headLength));
  if (archive && file === "-") {
    throw new KilnError("FLAG_INVALID", "-f - reads a Dockerfile, but an archive came", {
      hint: "Pass the archive as the context: kiln build - < ARCHIVE.",
    });
  }
  if (archive) return { kind: "archive", data };
  if (file !== "" && context === "-") {
    throw new KilnError(
      "FLAG_INVALID",
      `-f ${file} names a Dockerfile, but one came on standard input`,
      {
        hint: "Leave out -f, or send an archive that holds the file.",
      },
    );
  }
  if (head.length === 0) {
    throw new KilnError("DOCKERFILE_INVALID", "nothing came on standard input", {
      hint: "Send a Dockerfile or an archive: kiln build - < FILE.",
    });
  }
  const what = "the Dockerfile on standard input";
  const text = await readAll(limited(data, maxStdinDockerfile, tooLong), maxStdinDockerfile, what);
  const directory = mkdtempSync(join(tmpdir(), "kiln-stdin-"));
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, "Dockerfile"), text);
  mkdirSync(join(directory, "context"));
  return { kind: "dockerfile", directory };
}

function tooLong(): KilnError {
  return new KilnError(
    "DOCKERFILE_INVALID",
    `the Dockerfile on standard input is larger than ${maxStdinDockerfile} bytes`,
    { hint: "To send the context too, send an archive: tar, or one compressed by gzip." },
  );
}

/** The first bytes, and all of them. */
async function peek(data: Bytes): Promise<{ readonly head: Uint8Array; readonly data: Bytes }> {
  const source = data[Symbol.asyncIterator]();
  const start: Uint8Array[] = [];
  let length = 0;
  while (length < headLength) {
    const next = await source.next();
    if (next.done) break;
    start.push(next.value);
    length += next.value.length;
  }
  const head = concatBytes(start);
  const whole = async function* (): Bytes {
    if (head.length > 0) yield head;
    yield* { [Symbol.asyncIterator]: () => source };
  };
  return { head, data: whole() };
}
