// What `kiln build` reads: the context, the Dockerfile, named contexts, secrets; found and checked before any work.
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Attrs } from "../../api/index.ts";
import { closest, KilnError } from "../../base/index.ts";
import { parseGitReference } from "../../formats/git/index.ts";
import type { SecretSpec } from "../flags/index.ts";

/** Shared directories by name (absolute), and the frontend attributes that name them. */
export interface Sources {
  readonly attrs: Attrs;
  readonly directories: ReadonlyMap<string, string>;
}

export interface BuildSources extends Sources {
  /** Path of the Dockerfile as the user knows it, for messages. */
  readonly dockerfile: string;
}

/** Finds context and Dockerfile. `stdinDirectory` holds the Dockerfile that came from standard input, if one did. */
export function findSources(
  context: string,
  file: string,
  options: { readonly cwd: string; readonly stdinDirectory: string | undefined },
): BuildSources {
  const fromStdin = options.stdinDirectory;
  const isLocal = context === "-" || isDirectory(resolve(options.cwd, context));
  if (!isLocal && isRemote(context)) return remoteContext(context, file, options);
  // A Dockerfile alone on standard input has no files around it: its own directory stands in as an empty context.
  const directory =
    context === "-" && fromStdin !== undefined
      ? join(fromStdin, "context")
      : resolve(options.cwd, context);
  if (context !== "-") checkContext(context, directory);
  if (fromStdin !== undefined) {
    return {
      attrs: { filename: "Dockerfile", dockerfilekey: "dockerfile" },
      directories: new Map([
        ["context", directory],
        ["dockerfile", fromStdin],
      ]),
      dockerfile: "Dockerfile",
    };
  }
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
  return /^https?:\/\//.test(context) || parseGitReference(context).kind !== "not-git";
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function remoteContext(
  context: string,
  file: string,
  options: { readonly cwd: string; readonly stdinDirectory: string | undefined },
): BuildSources {
  const fromStdin = options.stdinDirectory;
  if (fromStdin !== undefined) {
    const attrs = { context, filename: "Dockerfile", dockerfilekey: "dockerfile" };
    return { attrs, directories: new Map([["dockerfile", fromStdin]]), dockerfile: "Dockerfile" };
  }
  return {
    attrs: { context, filename: file === "" ? "Dockerfile" : file },
    directories: new Map(),
    dockerfile: file || "Dockerfile",
  };
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

/** Named contexts: directories are lent, everything else goes to the frontend as it is. */
export function findNamedContexts(
  contexts: Readonly<Record<string, string>>,
  cwd: string,
): Sources {
  const attrs: Record<string, string> = {};
  const directories = new Map<string, string>();
  for (const [name, source] of Object.entries(contexts)) {
    attrs["frontend.caps"] = "moby.buildkit.frontend.contexts+forward";
    if (
      (!isDirectory(resolve(cwd, source)) && isRemote(source)) ||
      /^(docker-image|target|oci-layout):/.test(source)
    ) {
      attrs[`context:${name}`] = source;
      continue;
    }
    const directory = resolve(cwd, source);
    if (!isDirectory(directory)) {
      throw new KilnError(
        "CONTEXT_NOT_FOUND",
        `build context ${name}=${source} is not a directory`,
        {
          hint: "For an image, write NAME=docker-image://REF.",
        },
      );
    }
    attrs[`context:${name}`] = `local:${name}`;
    directories.set(name, directory);
  }
  return { attrs, directories };
}

/** Secrets larger than this are refused, as by the reference. */
export const maxSecretSize: number = 500 * 1024;

/** Checks that secrets from files can be there; paths become absolute. */
export function checkSecrets(secrets: readonly SecretSpec[], cwd: string): readonly SecretSpec[] {
  return secrets.map((secret) => {
    if (secret.id === "") {
      throw new KilnError("FLAG_INVALID", "a secret needs an id", {
        hint: "Write --secret id=NAME,src=FILE.",
      });
    }
    if (secret.src === undefined) return secret;
    const path = resolve(cwd, secret.src);
    const stats = statSync(path, { throwIfNoEntry: false });
    if (!stats?.isFile()) {
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
  if (existsSync(dirname(file))) return file;
  throw new KilnError("FLAG_INVALID", `the directory of ${flag} ${path} does not exist`);
}
