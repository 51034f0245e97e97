// Bake files that are in a repository, or in an archive behind a URL: the builder fetches them, and targets build from there.
import { posix } from "node:path";
import type { BuildBridge, Builder, FrontendResult, ResultRef } from "../../../api/index.ts";
import { type Call, KilnError } from "../../../base/index.ts";
import { detectCompression, isTarHeader } from "../../../formats/archive/index.ts";
import type { Fields } from "../../../formats/bake/index.ts";
import { openRemoteContext, remoteContextFile } from "../../../formats/dockerfile/index.ts";
import { parseGitReference } from "../../../formats/git/index.ts";
import { type State, scratch } from "../../../formats/llb/index.ts";
import { hostPlatform } from "../../../formats/oci/index.ts";
import { openDisplay, type ProgressMode, showProgress } from "../../progress/index.ts";
import { createLocalSession } from "../build/local-session.ts";
import { isRemote } from "../build/sources.ts";
import { openAgents } from "../build/ssh-agents.ts";
import { createBuildRef } from "../builders/builder.ts";
import type { ClientConfig } from "../builders/client-config.ts";
import type { RunWorld } from "../command.ts";
import { type BakeFile, usualNames } from "./find-files.ts";

/** Bytes by which an archive is told. */
const headLength = 1024;
/** Largest file of a bake, in bytes. */
const maxFileSize = 4 << 20;
const localPrefix = "cwd://";

export interface RemoteParts {
  readonly builder: Builder;
  readonly config: ClientConfig;
  readonly progress: ProgressMode;
}

/** Reads the files that are named, else those of the usual names, at `address`. Throws `BAKE_NOT_FOUND`. */
export async function readRemoteFiles(
  address: string,
  names: readonly string[],
  { builder, config, progress }: RemoteParts,
  world: RunWorld,
): Promise<readonly BakeFile[]> {
  const files: BakeFile[] = [];
  const drive = async (bridge: BuildBridge, call: Call): Promise<FrontendResult> => {
    files.push(...(await filesAt(address, names, bridge, call)));
    return { platforms: [], multiPlatform: false, metadata: {} };
  };
  const token = {
    GIT_AUTH_TOKEN: "BUILDX_BAKE_GIT_AUTH_TOKEN",
    GIT_AUTH_HEADER: "BUILDX_BAKE_GIT_AUTH_HEADER",
  };
  const ssh = world.env["BUILDX_BAKE_GIT_SSH"];
  const agents = ssh ? openAgents([{ id: "default", paths: ssh.split(",") }], world) : new Map();
  const session = createLocalSession({
    directories: new Map(),
    layouts: new Map(),
    uploads: new Map(),
    secrets: Object.entries(token)
      .filter(([, env]) => world.env[env])
      .map(([id, env]) => ({ id, env })),
    agents,
    receivers: [],
    env: world.env,
    stdout: world.stdout,
    credentials: config.credentials,
  });
  const { display } = await openDisplay(progress, world.stderr, world);
  const request = { ref: createBuildRef(), attrs: {}, exporters: [], internal: true, drive };
  const build = builder.build(request, session, world.call);
  const [, result] = await Promise.allSettled([showProgress(build.events, display), build.result]);
  if (result.status === "rejected") throw result.reason;
  return files;
}

async function filesAt(
  address: string,
  names: readonly string[],
  bridge: BuildBridge,
  call: Call,
): Promise<readonly BakeFile[]> {
  const native = bridge.platforms[0] ?? hostPlatform(process.arch);
  const solve = async (state: State): Promise<ResultRef> => {
    const ref = await bridge.solve(state.marshal({ platform: native, localUniqueId: "" }), call);
    if (ref) return ref;
    throw new KilnError("BAKE_NOT_FOUND", `${address} has no files`);
  };
  const found = openRemoteContext(address, { keepGitDir: false });
  const ref = await solve(found.state);
  if (found.kind === "git") return await readFrom(ref, names, address, call);
  const head = (await ref.readStart(remoteContextFile, headLength, call)) ?? new Uint8Array();
  if (detectCompression(head) === "none" && !isTarHeader(head)) {
    const text = await readText(ref, remoteContextFile, address, call);
    return [{ name: posix.basename(new URL(address).pathname) || address, text }];
  }
  const unpacked = scratch().copy(found.state, `/${remoteContextFile}`, "/", {
    attemptUnpack: true,
    name: "[internal] unpack bake definitions",
  });
  return await readFrom(await solve(unpacked), names, address, call);
}

async function readFrom(
  ref: ResultRef,
  names: readonly string[],
  address: string,
  call: Call,
): Promise<readonly BakeFile[]> {
  const files: BakeFile[] = [];
  for (const name of names.length > 0 ? names : usualNames) {
    const isThere = (await ref.stat(name, call)) !== undefined;
    if (isThere) files.push({ name, text: await readText(ref, name, address, call) });
    else if (names.length > 0)
      throw new KilnError("BAKE_NOT_FOUND", `bake file ${name} does not exist in ${address}`);
  }
  if (files.length > 0) return files;
  throw new KilnError("BAKE_NOT_FOUND", `couldn't find a bake definition in ${address}`, {
    hint: `Name a file of it with -f; for one of this machine, write -f ${localPrefix}FILE.`,
  });
}

async function readText(
  ref: ResultRef,
  name: string,
  address: string,
  call: Call,
): Promise<string> {
  const stat = await ref.stat(name, call);
  if ((stat?.size ?? 0) > maxFileSize)
    throw new KilnError("BAKE_INVALID", `${name} in ${address} has more than ${maxFileSize} bytes`);
  return new TextDecoder().decode(await ref.readFile(name, call));
}

/** The target with its relative paths in the repository or archive at `address`. */
export function remoteFields(fields: Fields, address: string): Fields {
  const contexts = Object.entries(fields.contexts ?? {}).map(([name, source]) => [
    name,
    source === null ? null : remotePath(source, address),
  ]);
  const context = remotePath(fields.context ?? ".", address);
  return {
    ...fields,
    context,
    ...(contexts.length > 0 ? { contexts: Object.fromEntries(contexts) } : {}),
  };
}

function remotePath(path: string, address: string): string {
  if (path.startsWith(localPrefix) || isRemote(path) || /^[a-z-]+:/.test(path)) return path;
  if (posix.normalize(path) === ".") return address;
  if (parseGitReference(address).kind !== "git") {
    throw new KilnError("UNSUPPORTED", `context ${path} is a directory of the archive ${address}`, {
      hint: "Build from a git repository, or let the Dockerfile copy from the directory.",
    });
  }
  const [url = "", fragment = ""] = address.split("#");
  const [ref = "", directory = ""] = fragment.split(":");
  return `${url}#${ref}:${posix.join(directory, path)}`;
}
