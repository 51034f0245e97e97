// Containers of a build elsewhere: NewContainer, and what runs in it.
import { randomUUID } from "node:crypto";
import type {
  Container,
  ContainerProcess,
  ContainerRequest,
  ResultRef,
} from "../../../api/index.ts";
import { type Call, KilnError, uncancelled } from "../../../base/index.ts";
import type { gateway } from "../../../formats/proto/index.ts";
import { fromStatus, StatusError } from "../../grpc/index.ts";
import type { Gateway } from "./calls.ts";
import { newContainerMessage } from "./exec-messages.ts";
import { filesOf } from "./files.ts";
import { type RemoteProcess, startProcess } from "./process.ts";

/** A container that the builder knows by `id`. */
export interface RemoteContainer extends Container {
  readonly id: string;
  start(process: ContainerProcess, call: Call): RemoteProcess;
}

/** `ids` name what the mounts begin with. Throws `UNSUPPORTED` where the builder has no containers for clients. */
export async function openContainer(
  wire: Gateway,
  request: ContainerRequest,
  ids: readonly string[],
  call: Call,
): Promise<RemoteContainer> {
  const { bridge, about } = wire;
  if (!(await wire.can("gateway.exec", call)))
    throw new KilnError("UNSUPPORTED", "this builder is too old to run commands in its builds");
  // Some builders take letters and digits only.
  const id = randomUUID().replaceAll("-", "");
  try {
    await bridge.newContainer(newContainerMessage(id, request, ids), about(call));
  } catch (error) {
    throw error instanceof StatusError ? fromStatus(error) : error;
  }
  const exec = (messages: AsyncIterable<gateway.ExecMessage>, during: Call) =>
    bridge.execProcess(messages, about(during));
  return {
    id,
    start: (process, starting) => startProcess(exec, id, process, starting),
    files: request.op.mounts.map((_mount, at) => containerFiles(wire, id, at)),
    async [Symbol.asyncDispose]() {
      // A build that has ended has released its containers already.
      await bridge.releaseContainer({ ContainerID: id }, about(uncancelled)).catch(() => {});
    },
  };
}

function containerFiles({ bridge, about }: Gateway, id: string, mount: number): ResultRef {
  return filesOf(
    {
      readFile: (request, call) => bridge.readFileContainer(request, about(call)),
      readDir: (request, call) => bridge.readDirContainer(request, about(call)),
      statFile: (request, call) => bridge.statFileContainer(request, about(call)),
    },
    async () => ({ id, mount }),
  );
}
