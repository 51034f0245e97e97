// Where a build's files come from: a lent directory, a repository, an archive behind a URL or on standard input.
import { type Call, KilnError } from "../../../base/index.ts";
import { detectCompression, isTarHeader } from "../../../formats/archive/index.ts";
import { openRemoteContext, remoteContextFile } from "../../../formats/dockerfile/index.ts";
import { type State, scratch, stateOf } from "../../../formats/llb/index.ts";
import type { DockerfileRequest } from "./attributes.ts";
import type { LocalReader } from "./build-files.ts";

/** The context as it is used; `state` is undefined for a directory that the asking side lends. */
export interface OpenedContext {
  readonly state: State | undefined;
  /** Where the Dockerfile is, unless the asking side lends that apart. */
  readonly dockerfile: State | undefined;
  /** Set where the context is one file, and that the Dockerfile. */
  readonly filename?: string;
}

/** BuildKit looks at as many bytes to tell an archive. */
const headLength = 1024;

/** Fetches a remote context as far as is needed to know what it is. Throws what its source throws. */
export async function openContext(
  { remote, subdir, keepGitDir }: DockerfileRequest["context"],
  reader: LocalReader,
  call: Call,
): Promise<OpenedContext> {
  if (remote === undefined) {
    // BuildKit: an input of the usual name is the context, whatever `contextkey` says.
    const input = reader.bridge.inputs["context"];
    return { state: input && stateOf(input), dockerfile: undefined };
  }
  const found = openRemoteContext(remote, { keepGitDir });
  const scoped = (state: State) => (subdir === undefined ? state : below(state, subdir));
  if (found.kind === "git") return { state: scoped(found.state), dockerfile: found.state };
  const head = await readHead(found.state, reader, call);
  if (detectCompression(head) !== "none" || isTarHeader(head)) {
    const files = unpacked(found.state);
    return { state: scoped(files), dockerfile: files };
  }
  refuseWebPage(head, remote);
  return { state: scoped(found.state), dockerfile: found.state, filename: remoteContextFile };
}

async function readHead(
  state: State,
  { bridge, native, id }: LocalReader,
  call: Call,
): Promise<Uint8Array> {
  const definition = state.marshal({ platform: native, localUniqueId: id });
  const ref = await bridge.solve(definition, call);
  return (await ref?.readStart(remoteContextFile, headLength, call)) ?? new Uint8Array();
}

function unpacked(archive: State): State {
  return scratch().copy(archive, `/${remoteContextFile}`, "/", {
    attemptUnpack: true,
    name: "[internal] unpack build context",
  });
}

function below(files: State, directory: string): State {
  return scratch().copy(files, directory, "/", { dirCopyContents: true });
}

/** The page of a repository is easily taken for the repository. */
function refuseWebPage(head: Uint8Array, address: string): void {
  const text = new TextDecoder().decode(head).trimStart().toLowerCase();
  if (!text.startsWith("<!doctype html") && !text.startsWith("<html")) return;
  const page = /^https?:\/\/[^/]+\/[^?#]+[^/?#]/.exec(address)?.[0];
  throw new KilnError(
    "DOCKERFILE_INVALID",
    `${address} is a web page: neither an archive nor a Dockerfile`,
    {
      hint: page
        ? `For a git repository, write ${page}.git.`
        : "Give the address of a git repository (.git), an archive or a Dockerfile.",
    },
  );
}
