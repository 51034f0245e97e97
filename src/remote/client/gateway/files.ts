// Files of results elsewhere, read by LLBBridge's methods.
import type { FileStat, ResultRef } from "../../../api/index.ts";
import { type Call, unixMode } from "../../../base/index.ts";
import { type fsutil, gateway } from "../../../formats/proto/index.ts";
import { fromStatus, StatusError } from "../../grpc/index.ts";
import type { Gateway } from "./calls.ts";

type Stat = NonNullable<fsutil.Packet["stat"]>;

/** The three methods that read, of a result or of a container. */
export interface FileMethods {
  readFile(request: gateway.ReadFileRequest, call: Call): Promise<gateway.ReadFileResponse>;
  readDir(request: gateway.ReadDirRequest, call: Call): Promise<gateway.ReadDirResponse>;
  statFile(request: gateway.StatFileRequest, call: Call): Promise<gateway.StatFileResponse>;
}

/** A result that the builder knows by `id`. */
export interface RemoteRef extends ResultRef {
  readonly id: string;
}

/** The files behind a result's id. */
export function remoteRef({ bridge, about }: Gateway, id: string): RemoteRef {
  const methods: FileMethods = {
    readFile: (request, call) => bridge.readFile(request, about(call)),
    readDir: (request, call) => bridge.readDir(request, about(call)),
    statFile: (request, call) => bridge.statFile(request, about(call)),
  };
  return { id, ...filesOf(methods, async () => ({ id, mount: 0 })) };
}

/** `where` says what the methods are asked about, when something is read. */
export function filesOf(
  methods: FileMethods,
  where: (call: Call) => Promise<{ readonly id: string; readonly mount: number }>,
): ResultRef {
  const read = async (path: string, length: number, call: Call) => {
    const { id, mount } = await where(call);
    const Range = length === 0 ? undefined : { Offset: 0, Length: length };
    const request = gateway.ReadFileRequest.create({ Ref: id, FilePath: path, MountIndex: mount });
    return (await methods.readFile({ ...request, Range }, call)).Data;
  };
  const list = async (path: string, include: string | undefined, call: Call) => {
    const { id, mount } = await where(call);
    const request = { Ref: id, DirPath: path, IncludePattern: include ?? "", MountIndex: mount };
    return (await methods.readDir(request, call)).entries;
  };
  return {
    readFile: (path, call) => named(() => read(path, 0, call)),
    readStart: (path, length, call) => ifThere(() => read(path, length, call)),
    readDir: (path, call) =>
      named(async () => (await list(path, undefined, call)).map(({ path: name }) => base(name))),
    entries: (path, include, call) =>
      named(async () =>
        (await list(path, include, call)).map((stat) => ({
          name: base(stat.path),
          ...fileStat(stat),
        })),
      ),
    stat: (path, call) =>
      ifThere(async () => {
        const { id, mount } = await where(call);
        const asked = { Ref: id, Path: path, MountIndex: mount };
        const { stat } = await methods.statFile(asked, call);
        return stat && fileStat(stat);
      }),
  };
}

/** Names inside a directory have no slash, whatever a builder says. */
function base(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function fileStat({ size, mode, uid, gid, modTime, linkname }: Stat): FileStat {
  return {
    size,
    mode: unixMode(mode),
    uid,
    gid,
    mtime: BigInt(modTime),
    ...(linkname === "" ? {} : { linkname }),
  };
}

async function named<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof StatusError ? fromStatus(error) : error;
  }
}

/** Builders have no status of their own for a file that is not there. */
async function ifThere<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    if (/no such file or directory|not a directory/.test(error.message)) return undefined;
    throw fromStatus(error);
  }
}
