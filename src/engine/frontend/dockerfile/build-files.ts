// The files that say what to build: the Dockerfile and its ignore list, read through the bridge.
import type { BuildBridge, ResultRef } from "../../../api/index.ts";
import { type Call, closest, KilnError } from "../../../base/index.ts";
import { type Definition, local } from "../../../formats/llb/index.ts";
import type { Platform } from "../../../formats/oci/index.ts";
import { readIgnoreFile } from "../../../formats/patterns/index.ts";
import { contextName, type DockerfileRequest } from "./attributes.ts";
import type { OpenedContext } from "./context.ts";

/** BuildKit's frontend reads no larger Dockerfile either. */
const dockerfileLimit = 64 << 20;
const ignoreFileLimit = 16 << 20;

export interface BuildFiles {
  readonly filename: string;
  readonly dockerfile: Uint8Array;
  /** What the Dockerfile was read from. */
  readonly definition: Definition;
  readonly ignorePatterns: readonly string[];
}

/** Through what lent directories are read: the bridge, and the build's id, which keeps its files apart from others'. */
export interface LocalReader {
  readonly bridge: BuildBridge;
  readonly native: Platform;
  readonly id: string;
  /** By name of a lent directory, the session that lends it, where that is not the one that asked for the build. */
  readonly sessionIds?: Readonly<Record<string, string>>;
}

/**
 * Throws `DOCKERFILE_NOT_FOUND`. A list beside the Dockerfile (`NAME.dockerignore`) goes before the context's own. What is
 * fetched from elsewhere is used whole, as by the reference: its lists do not count.
 */
export async function readBuildFiles(
  request: DockerfileRequest,
  opened: OpenedContext,
  reader: LocalReader,
  call: Call,
): Promise<BuildFiles> {
  const isRemote = opened.state !== undefined;
  const { bridge } = reader;
  const definition = describeDockerfile(request, opened, reader);
  const loadIgnore = "[internal] load .dockerignore";
  const [beside, context] = await Promise.all([
    bridge.solve(definition, call),
    isRemote
      ? undefined
      : bridge.solve(describeLocal(contextName, [".dockerignore"], loadIgnore, reader), call),
  ]);
  const found = await readDockerfile(request, opened, beside, call);
  if (isRemote) return { ...found, definition, ignorePatterns: [] };
  const ignore =
    (await readIfThere(beside, `${found.filename}.dockerignore`, ignoreFileLimit, call)) ??
    (await readIfThere(context, ".dockerignore", ignoreFileLimit, call));
  return { ...found, definition, ignorePatterns: ignore ? readIgnoreFile(ignore) : [] };
}

/** The files among which the Dockerfile is: sent with the request, part of a fetched context, or lent. */
function describeDockerfile(
  { filename, dockerfileName, dockerfileIsLent, isDefaultFilename }: DockerfileRequest,
  { dockerfile }: OpenedContext,
  reader: LocalReader,
): Definition {
  const { bridge, native, id } = reader;
  const sent = dockerfileIsLent ? undefined : bridge.inputs[dockerfileName];
  if (sent) return sent;
  if (dockerfile && !dockerfileIsLent) {
    return dockerfile.marshal({ platform: native, localUniqueId: id });
  }
  const names = [filename, `${filename}.dockerignore`];
  if (isDefaultFilename) names.push(filename.toLowerCase());
  const title = `[internal] load build definition from ${filename}`;
  return describeLocal(dockerfileName, names, title, reader);
}

/** Patterns in the .dockerignore of another lent directory. */
export async function readIgnorePatterns(
  name: string,
  reader: LocalReader,
  call: Call,
): Promise<readonly string[]> {
  const title = `[context ${name}] load .dockerignore`;
  const described = describeLocal(name, [".dockerignore"], title, reader);
  const ref = await reader.bridge.solve(described, call);
  const ignore = await readIfThere(ref, ".dockerignore", ignoreFileLimit, call);
  return ignore ? readIgnoreFile(ignore) : [];
}

async function readDockerfile(
  request: DockerfileRequest,
  opened: OpenedContext,
  ref: ResultRef | undefined,
  call: Call,
) {
  const inContext = opened.filename !== undefined && !request.dockerfileIsLent;
  const wanted = (inContext && opened.filename) || request.filename;
  const tried = request.isDefaultFilename ? [wanted, wanted.toLowerCase()] : [wanted];
  for (const filename of tried) {
    const dockerfile = await readIfThere(ref, filename, dockerfileLimit, call);
    if (dockerfile) return { filename, dockerfile };
  }
  const near = closest(wanted, (await ref?.readDir("/", call)) ?? []);
  throw new KilnError("DOCKERFILE_NOT_FOUND", `there is no ${wanted} in the build context`, {
    hint: near ? `Did you mean -f ${near}?` : "Name it with -f FILE.",
  });
}

async function readIfThere(
  ref: ResultRef | undefined,
  path: string,
  limit: number,
  call: Call,
): Promise<Uint8Array | undefined> {
  const stat = await ref?.stat(path, call);
  if (!stat || (stat.mode & 0o170000) === 0o040000) return undefined;
  if (stat.size > limit) {
    throw new KilnError(
      "DOCKERFILE_INVALID",
      `${path} has ${stat.size} bytes; at most ${limit} are read`,
    );
  }
  return ref?.readFile(path, call);
}

function describeLocal(
  name: string,
  paths: readonly string[],
  title: string,
  { native, id, sessionIds }: LocalReader,
): Definition {
  const sessionId = sessionIds?.[name];
  const state = local(name, {
    ...(sessionId === undefined ? {} : { sessionId }),
    followPaths: paths,
    sharedKeyHint: name,
    description: { "llb.customname": title },
  });
  return state.marshal({ platform: native, localUniqueId: id });
}
