// What this side lends to a build in the same process: directories in place, secrets, credentials, receivers of results.
import { createHash } from "node:crypto";
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { stat } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type {
  Credentials,
  ExportTarget,
  LentAgent,
  LentLayout,
  Session,
  SharedFiles,
} from "../../../api/index.ts";
import {
  type Bytes,
  type Call,
  type Digest,
  fromNodeError,
  KilnError,
  temporaryName,
} from "../../../base/index.ts";
import { isInitial, readIdMap } from "../../../engine/isolation/index.ts";
import { fillDirectory, shareDirectory } from "../../../storage/directory/index.ts";
import { extractTar } from "../../../storage/snapshot/index.ts";
import type { SecretSpec } from "../../flags/index.ts";
import type { Output } from "../../report/index.ts";
import type { ImageLoader } from "../images/image-loading.ts";
import type { Receiver } from "./outputs.ts";
import { maxSecretSize } from "./sources.ts";

export interface SessionParts {
  readonly directories: ReadonlyMap<string, string>;
  /** OCI layouts by name. Absolute. */
  readonly layouts: ReadonlyMap<string, string>;
  /** Sent once, by id. */
  readonly uploads: ReadonlyMap<string, Bytes>;
  readonly secrets: readonly SecretSpec[];
  /** SSH agents by id. */
  readonly agents: ReadonlyMap<string, LentAgent>;
  /** By index of the exporter that delivers. */
  readonly receivers: readonly (Receiver | undefined)[];
  /** Docker engines that take an image, by the same index. */
  readonly loaders?: ReadonlyMap<number, ImageLoader>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Output;
  /** Of builds that run together and are lent the same directories. */
  readonly localsId?: string;
  credentials(host: string, call: Call): Promise<Credentials | undefined>;
}

/** The session of a build in this process: directories are read in place, so no file is listed or sent. */
export function createLocalSession(parts: SessionParts): Session {
  for (const receiver of parts.receivers) if (receiver?.unpack) checkDirectory(receiver.dest);
  const uploads = new Map(parts.uploads);
  return {
    directory: (name) => parts.directories.get(name),
    layout: (name) => {
      const path = parts.layouts.get(name);
      return path === undefined ? undefined : lendLayout(path);
    },
    upload: (id) => {
      const data = uploads.get(id);
      uploads.delete(id);
      return data;
    },
    ...(parts.localsId === undefined ? {} : { localsId: parts.localsId }),
    peer: (id) => lendingAsContext(id, parts),
    sharedKey: sharedKeyOf(parts.directories.get("context") ?? ""),
    files(name, filter, call) {
      const directory = parts.directories.get(name);
      return directory === undefined ? refuseToSend(name) : shareDirectory(directory, filter, call);
    },
    receive: (target, tar, call) =>
      parts.loaders?.get(target.index)?.(tar, call) ??
      receive(findReceiver(parts.receivers, target), tar, parts.stdout, call),
    receiveFiles: (target, files, call) =>
      receiveFiles(findReceiver(parts.receivers, target), files, call),
    ssh: async (id) => parts.agents.get(id),
    secret: secretReader(parts.secrets, parts.env),
    credentials: (host, call) => parts.credentials(host, call),
  };
}

/** Any directory is also the context of a session by its name: several builds that run together have contexts of their own. */
function lendingAsContext(name: string, parts: SessionParts): Session | undefined {
  const directory = parts.directories.get(name);
  if (directory === undefined) return undefined;
  return createLocalSession({
    ...parts,
    directories: new Map([...parts.directories, ["context", directory]]),
    receivers: [],
    uploads: new Map(),
    ...(parts.localsId === undefined ? {} : { localsId: `${parts.localsId}-${name}` }),
  });
}

function lendLayout(path: string): LentLayout {
  const file = (digest: Digest) => join(path, "blobs", ...digest.split(":"));
  return {
    place: path,
    async size(digest) {
      const stats = await stat(file(digest)).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT")
          throw fromNodeError(error, `reading ${path}`);
      });
      return stats?.isFile() ? stats.size : undefined;
    },
    async *read(digest, call) {
      const { signal } = call;
      try {
        for await (const chunk of createReadStream(file(digest), {
          highWaterMark: 1 << 20,
          signal,
        }))
          yield chunk as Uint8Array;
      } catch (error) {
        throw fromNodeError(error, `reading ${path}`);
      }
    },
  };
}

/** The same for every build of one directory on this machine. */
function sharedKeyOf(context: string): string {
  return createHash("sha256").update(`${hostname()}\0${context}`).digest("hex");
}

function refuseToSend(name: string): never {
  throw new KilnError(
    "CONTEXT_NOT_FOUND",
    `this build was given no directory named ${JSON.stringify(name)}`,
  );
}

/** Each is read once, when it is first wanted: what is behind `<(command)` is there only once. */
function secretReader(
  secrets: readonly SecretSpec[],
  env: Readonly<Record<string, string | undefined>>,
): Session["secret"] {
  const known = new Map<string, Uint8Array | undefined>();
  return async (id) => {
    if (!known.has(id))
      known.set(
        id,
        readSecret(
          secrets.find((secret) => secret.id === id),
          env,
        ),
      );
    return known.get(id);
  };
}

/** With neither file nor variable named, the variable of the id's name counts first, then the file. */
function readSecret(
  secret: SecretSpec | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Uint8Array | undefined {
  if (!secret) return undefined;
  const variable = secret.env ?? (secret.src === undefined ? secret.id : undefined);
  const value = variable === undefined ? undefined : env[variable];
  if (value !== undefined) return new TextEncoder().encode(value);
  if (secret.env !== undefined) return undefined;
  const path = secret.src ?? secret.id;
  try {
    const data = readFileSync(path);
    if (data.length <= maxSecretSize) return data;
  } catch (error) {
    if (secret.src === undefined && (error as NodeJS.ErrnoException).code === "ENOENT")
      return undefined;
    throw fromNodeError(error, `reading secret ${secret.id}`);
  }
  throw new KilnError(
    "FLAG_INVALID",
    `secret ${secret.id} is larger than ${maxSecretSize / 1024} KiB`,
  );
}

/** Refuses what cannot become a directory, before the build and not after it. Throws `FLAG_INVALID`. */
function checkDirectory(dest: string): void {
  let at = dest;
  while (!existsSync(at) && at !== dirname(at)) at = dirname(at);
  if (statSync(at, { throwIfNoEntry: false })?.isDirectory() !== false) return;
  throw new KilnError("FLAG_INVALID", `output ${dest} is to be a directory, but ${at} is a file`, {
    hint: "Name another directory. For a single file, write --output type=tar,dest=FILE.",
  });
}

function findReceiver(
  receivers: readonly (Receiver | undefined)[],
  { index, type }: ExportTarget,
): Receiver {
  const found = receivers[index];
  if (found) return found;
  throw new KilnError("EXPORT_FAILED", `output ${index} (${type}) is delivered to nobody`);
}

async function receive(receiver: Receiver, data: Bytes, stdout: Output, call: Call): Promise<void> {
  if (receiver.dest === "-") {
    for await (const chunk of data) stdout.write(chunk);
    return;
  }
  try {
    if (receiver.unpack) await unpack(receiver, data, call);
    else await writeFile(receiver.dest, data, call);
  } catch (error) {
    throw fromNodeError(error, `writing ${receiver.dest}`);
  }
}

async function receiveFiles(receiver: Receiver, files: SharedFiles, call: Call): Promise<void> {
  try {
    makeReady(receiver);
    await fillDirectory(files, receiver.dest, call);
  } catch (error) {
    throw fromNodeError(error, `writing ${receiver.dest}`);
  }
}

async function unpack(receiver: Receiver, data: Bytes, call: Call): Promise<void> {
  makeReady(receiver);
  // Layouts belong to whoever asked for them: only root of the machine gives files away.
  const isRoot = process.getuid?.() === 0 && isInitial(readIdMap("/proc/self/uid_map"));
  const owner = isRoot ? {} : { owner: { uid: 0, gid: 0 } };
  await extractTar(data, { root: receiver.dest, whiteouts: "none", ...owner }, call);
}

function makeReady({ dest, replace }: Receiver): void {
  mkdirSync(dest, { recursive: true });
  if (!replace) return;
  for (const name of readdirSync(dest)) rmSync(join(dest, name), { recursive: true, force: true });
}

/** The file appears whole or not at all. */
async function writeFile(dest: string, data: Bytes, call: Call): Promise<void> {
  const present = statSync(dest, { throwIfNoEntry: false });
  if (present && !present.isFile()) {
    // A device or a pipe is written to; a rename would put a file in its place.
    const source = Readable.from(data, { objectMode: false });
    await pipeline(source, createWriteStream(dest), { signal: call.signal });
    return;
  }
  const temporary = `${dest}${temporaryName()}`;
  try {
    await pipeline(Readable.from(data, { objectMode: false }), createWriteStream(temporary), {
      signal: call.signal,
    });
    renameSync(temporary, dest);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
