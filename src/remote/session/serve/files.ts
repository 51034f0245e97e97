// The asking side's FileSync and FileSend: its directories for the builder, and the builder's results for it.
import type { Session } from "../../../api/index.ts";
import type { Bytes } from "../../../base/index.ts";
import { filesync } from "../../../formats/proto/index.ts";
import { bind, type ServerCall, type Service, StatusError, statusCodes } from "../../grpc/index.ts";
import { receiveFiles } from "../fsutil/receive.ts";
import { decodeFilesRequest } from "../fsutil/request.ts";
import { type Packets, sendFiles } from "../fsutil/send.ts";
import { fileSendDefinition, fileSyncDefinition } from "../fsutil/services.ts";
import { metadataKeys } from "../metadata.ts";
import { tarOfFiles } from "./files-tar.ts";

export function serveFileSync(session: Session): Service {
  return bind(fileSyncDefinition, {
    async *diffCopy(incoming, call) {
      const { name, filter } = decodeFilesRequest(call.metadata);
      await using files = session.files(name, filter, call);
      yield* sendFiles(files, incoming, call);
    },
    async *tarStream() {
      yield* [];
      throw new StatusError(statusCodes.UNIMPLEMENTED, "failed to negotiate protocol");
    },
  });
}

/** `exporters` are the types of the request's exporters, in its order: only those of type `local` deliver directories. */
export function serveFileSend(session: Session, exporters: readonly string[]): Service {
  return bind(fileSendDefinition, {
    diffCopy(incoming, call) {
      const index = exporterIndex(call);
      const type = exporters[index];
      if (type === undefined)
        throw new StatusError(statusCodes.NOT_FOUND, `exporter ${index} not found`);
      const target = { index, type };
      if (type === "local") return takeDirectory(session, target, incoming, call);
      return takeFile(session, target, incoming, call);
    },
  });
}

/** Without a word about it, the only one is meant. */
function exporterIndex(call: ServerCall): number {
  const text = call.metadata.get(metadataKeys.exporter)?.[0] ?? "0";
  return /^\d{1,6}$/.test(text) ? Number(text) : -1;
}

type Target = Parameters<Session["receive"]>[0];

async function* takeFile(
  session: Session,
  target: Target,
  incoming: Packets,
  call: ServerCall,
): Packets {
  await session.receive(target, bytesOfMessages(incoming), call);
  yield* [];
}

async function* bytesOfMessages(incoming: Packets): Bytes {
  for await (const batch of incoming)
    for (const bytes of batch) yield filesync.BytesMessage.decode(bytes).data;
}

async function* takeDirectory(
  session: Session,
  target: Target,
  incoming: Packets,
  call: ServerCall,
): Packets {
  let outgoing: Packets | undefined;
  const files = receiveFiles((packets) => {
    outgoing = packets;
    return incoming;
  }, call);
  const taken = (async () => {
    await using held = files;
    if (session.receiveFiles) await session.receiveFiles(target, held, call);
    else await session.receive(target, tarOfFiles(held, call), call);
  })();
  taken.catch(() => {});
  if (outgoing) yield* outgoing;
  await taken;
}
