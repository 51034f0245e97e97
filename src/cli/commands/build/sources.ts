// What `kiln build` reads: the context, the Dockerfile, named contexts, secrets; found and checked before any work.
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import type { Attrs } from "../../../api/index.ts";
import { type Bytes, closest, KilnError } from "../../../base/index.ts";
import { parseGitReference } from "../../../formats/git/index.ts";
import { type Definition, http } from "../../../formats/llb/index.ts";
import { hostPlatform } from "../../../formats/oci/index.ts";
import type { SecretSpec } from "../../flags/index.ts";
import { standsInForBuildx, type World } from "../command.ts";
import type { StdinSource } from "./stdin.ts";

/** Shared directories by name (absolute), and the frontend attributes that name them. */
export interface Sources {
  readonly attrs: Attrs;
  readonly directories: ReadonlyMap<string, string>;
}

export interface BuildSources extends Sources {
  /** Path of the Dockerfile as the user knows it, for messages. */
  readonly dockerfile: string;
  /** What is sent once, by id. */
  readonly uploads?: ReadonlyMap<string, Bytes>;
  /** Definitions that go with the request. */
  readonly inputs?: Readonly<Record<string, Definition>>;
}

interface SourceOptions {
  readonly cwd: string;
  readonly stdin: StdinSource | undefined;
}

/** Finds context and Dockerfile, by the same rules and into the same attributes as buildx. */
export function findSources(context: string, file: string, options: SourceOptions): BuildSources {
  const isLocal = context === "-" || isDirectory(resolve(options.cwd, context));
  if (options.stdin?.kind === "archive") return archiveContext(file, options.stdin.data);
  if (!isLocal && isRemote(context)) return remoteContext(context, file, options);
  // A Dockerfile alone on standard input has no files around it: its own directory stands in as an empty context.
  const fromStdin = options.stdin?.directory;
  const directory =
    context === "-" && fromStdin !== undefined
      ? join(fromStdin, "context")
      : resolve(options.cwd, context);
  if (context !== "-") checkContext(context, directory);
  const lent = lentDockerfile(file, options);
  if (lent) return { ...lent, directories: new Map([...lent.directories, ["context", directory]]) };
  const found = findDockerfile(directory, context, file, options.cwd);
  return {
    attrs: { filename: basename(found) },
    directories: new Map([
      ["context", directory],
      ["dockerfile", dirname(found)],
    ]),
    dockerfile: file === "" ? join(context, basename(found)) : file,
  };
}

/** True for what is fetched instead of read from the disk: git and http(s) addresses. */
export function isRemote(context: string): boolean {
  return isUrl(context) || parseGitReference(context).kind !== "not-git";
}

function isUrl(text: string): boolean {
  return /^https?:\/\//.test(text);
}

/** A Dockerfile that is in no way part of the context: from standard input, or behind a URL. */
function lentDockerfile(file: string, { stdin }: SourceOptions): BuildSources | undefined {
  if (stdin?.kind === "dockerfile") {
    return {
      attrs: { filename: "Dockerfile", dockerfilekey: "dockerfile" },
      directories: new Map([["dockerfile", stdin.directory]]),
      dockerfile: "Dockerfile",
    };
  }
  if (!isUrl(file)) return undefined;
  const name = `[internal] load build definition from ${file}`;
  const platform = hostPlatform(process.arch);
  const state = http(file, { filename: "Dockerfile", name });
  return {
    attrs: { filename: "Dockerfile" },
    directories: new Map(),
    dockerfile: file,
    inputs: { dockerfile: state.marshal({ platform, localUniqueId: "dockerfile" }) },
  };
}

/** The builder fetches the archive from the session, as BuildKit's does. */
function archiveContext(file: string, data: Bytes): BuildSources {
  const id = "context";
  return {
    attrs: { context: `http://buildkit-session/${id}`, ...(file === "" ? {} : { filename: file }) },
    directories: new Map(),
    dockerfile: file || "Dockerfile",
    uploads: new Map([[id, data]]),
  };
}

function remoteContext(context: string, file: string, options: SourceOptions): BuildSources {
  const lent = lentDockerfile(file, options);
  if (lent) return { ...lent, attrs: { ...lent.attrs, context } };
  if (isAbsolute(file)) {
    const found = findDockerfile(dirname(file), dirname(file), file, options.cwd);
    return {
      attrs: { context, filename: basename(found), dockerfilekey: "dockerfile" },
      directories: new Map([["dockerfile", dirname(found)]]),
      dockerfile: file,
    };
  }
  return {
    attrs: { context, ...(file === "" ? {} : { filename: file }) },
    directories: new Map(),
    dockerfile: file || "Dockerfile",
  };
}

/** True for an existing directory, also behind links. */
export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function checkContext(context: string, directory: string): void {
  const stats = statSync(directory, { throwIfNoEntry: false });
  if (stats?.isDirectory()) return;
  const what = stats ? "is not a directory" : "does not exist";
  const siblings = existsSync(dirname(directory)) ? directoriesIn(dirname(directory)) : [];
  const near = stats ? undefined : closest(basename(directory), siblings);
  throw new KilnError("CONTEXT_NOT_FOUND", `build context ${JSON.stringify(context)} ${what}`, {
    hint:
      near !== undefined
        ? `Did you mean ${join(dirname(context), near)}?`
        : stats
          ? "The argument is the directory with the files to copy; name the Dockerfile with -f."
          : "Give the directory with the files to copy, such as . for this one.",
  });
}

function directoriesIn(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

function findDockerfile(directory: string, context: string, file: string, cwd: string): string {
  const wanted = file === "" ? join(directory, "Dockerfile") : resolve(cwd, file);
  const stats = statSync(wanted, { throwIfNoEntry: false });
  if (stats?.isFile()) return wanted;
  const lower = join(dirname(wanted), basename(wanted).toLowerCase());
  if (!stats && basename(wanted) === "Dockerfile" && existsSync(lower)) return lower;
  const shown = file === "" ? join(context, "Dockerfile") : file;
  const what = stats ? "is not a file" : "does not exist";
  throw new KilnError("DOCKERFILE_NOT_FOUND", `Dockerfile ${JSON.stringify(shown)} ${what}`, {
    hint: dockerfileHint(directory, context, wanted, file),
  });
}

/** Where the Dockerfile probably is: beside the wanted one under a near name, or in the context instead of here. */
function dockerfileHint(directory: string, context: string, wanted: string, file: string): string {
  const inContext = join(directory, file);
  if (file !== "" && existsSync(inContext) && statSync(inContext).isFile()) {
    return `-f is relative to the current directory: did you mean -f ${join(context, file)}?`;
  }
  const parent = dirname(wanted);
  const names = existsSync(parent) ? readdirSync(parent) : [];
  const near =
    closest(basename(wanted), names) ??
    names.find((name) => /dockerfile|containerfile/i.test(name));
  if (near !== undefined)
    return `Did you mean -f ${join(file === "" ? context : dirname(file), near)}?`;
  return "Name it with -f PATH.";
}

/** Secrets larger than this are refused, as by the reference. */
export const maxSecretSize: number = 500 * 1024;

/** Checks that secrets from files can be there; paths become absolute. buildx looks for those without a source, too. */
export function checkSecrets(
  secrets: readonly SecretSpec[],
  { cwd, env }: Pick<World, "cwd" | "env">,
): readonly SecretSpec[] {
  return secrets.map((given) => {
    const { id, src, env: variable } = given;
    const nowhere = src === undefined && variable === undefined && env[id] === undefined;
    const secret =
      nowhere && id !== "" && standsInForBuildx({ env }) ? { ...given, src: id } : given;
    if (secret.id === "") {
      throw new KilnError("FLAG_INVALID", "a secret needs an id", {
        hint: "Write --secret id=NAME,src=FILE.",
      });
    }
    if (secret.src === undefined) return secret;
    const path = resolve(cwd, secret.src);
    const stats = statSync(path, { throwIfNoEntry: false });
    // A shell's `<(command)` is a pipe.
    if (!stats?.isFile() && !stats?.isFIFO()) {
      throw new KilnError(
        "FLAG_INVALID",
        `file ${secret.src} of secret ${secret.id} ${stats ? "is not a file" : "does not exist"}`,
        { hint: "Paths of secrets are relative to the current directory." },
      );
    }
    if (stats.size > maxSecretSize) {
      throw new KilnError(
        "FLAG_INVALID",
        `file ${secret.src} of secret ${secret.id} is larger than ${maxSecretSize / 1024} KiB`,
      );
    }
    return { ...secret, src: path };
  });
}

/** A file that will be written: absolute, its directory there. Undefined where none was asked for. */
export function outputFile(flag: string, path: string, cwd: string): string | undefined {
  if (path === "") return undefined;
  const file = resolve(cwd, path);
  if (isDirectory(file))
    throw new KilnError("FLAG_INVALID", `the file of ${flag} ${path} is a directory`);
  if (existsSync(dirname(file))) return file;
  throw new KilnError("FLAG_INVALID", `the directory of ${flag} ${path} does not exist`);
}
