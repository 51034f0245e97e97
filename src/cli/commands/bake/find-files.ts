// Which files a bake reads: those that are named, or those of the usual names.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fromNodeError, KilnError, limited, readAll } from "../../../base/index.ts";
import type { RunWorld } from "../command.ts";

/** A file as it was read. */
export interface BakeFile {
  /** As the user knows it. */
  readonly name: string;
  readonly text: string;
  /** Absolute; absent for standard input and files from elsewhere. */
  readonly path?: string;
}

/** Usual names in the order in which they count. */
export const usualNames: readonly string[] = [
  "compose.yaml",
  "compose.yml",
  "docker-compose.yml",
  "docker-compose.yaml",
  "docker-bake.json",
  "docker-bake.hcl",
  "docker-bake.override.json",
  "docker-bake.override.hcl",
];

/** Largest file of a bake, in bytes. */
const maxFileSize = 4 << 20;

/** The names that -f, or BUILDX_BAKE_FILE, gives. Empty where the usual ones are to be looked for. */
export function namedFiles(
  given: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const variable = env["BUILDX_BAKE_FILE"];
  if (given.length > 0 || !variable) return given;
  const separator = env["BUILDX_BAKE_PATH_SEPARATOR"] || ":";
  return variable.split(separator).filter((name) => name !== "");
}

/** Reads the files that are named, else those of the usual names in `directory`. Throws `BAKE_NOT_FOUND`. */
export async function readLocalFiles(
  names: readonly string[],
  directory: string,
  world: RunWorld,
): Promise<readonly BakeFile[]> {
  if (names.length > 0) {
    const files: BakeFile[] = [];
    for (const name of names)
      files.push(name === "-" ? await readStandardInput(world) : readLocalFile(name, directory));
    return files;
  }
  const found = usualNames.filter((name) => isFile(join(directory, name)));
  if (found.length > 0) return found.map((name) => readLocalFile(name, directory));
  throw new KilnError("BAKE_NOT_FOUND", "couldn't find a bake definition", {
    hint: "Name a file with -f, or write docker-bake.hcl.",
  });
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

async function readStandardInput(world: RunWorld): Promise<BakeFile> {
  const tooLarge = () =>
    new KilnError(
      "BAKE_INVALID",
      `the bake file on standard input has more than ${maxFileSize} bytes`,
    );
  const data = limited(world.stdin, maxFileSize, tooLarge);
  const bytes = await readAll(data, maxFileSize, "the bake file on standard input");
  return { name: "-", text: new TextDecoder().decode(bytes) };
}

function readLocalFile(name: string, directory: string): BakeFile {
  const path = resolve(directory, name.replace(/^cwd:\/\//, ""));
  try {
    const { size } = statSync(path);
    if (size > maxFileSize)
      throw new KilnError("BAKE_INVALID", `bake file ${name} has more than ${maxFileSize} bytes`);
    return { name: shownName(name, path, directory), text: readFileSync(path, "utf8"), path };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT")
      throw new KilnError("BAKE_NOT_FOUND", `bake file ${JSON.stringify(name)} does not exist`, {
        hint: "Paths of -f are relative to the current directory.",
      });
    throw code === undefined ? error : fromNodeError(error, `reading ${name}`);
  }
}

function shownName(name: string, path: string, directory: string): string {
  return name.startsWith("cwd://") ? relative(directory, path) : name;
}

/** A file beside the others, such as `.env`; undefined where there is none. */
export function readBeside(path: string, directory: string): string | undefined {
  const file = resolve(directory, path);
  return isFile(file) ? readLocalFile(path, directory).text : undefined;
}
