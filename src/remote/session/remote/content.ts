// A store of blobs of the asking side, read and written through its session.
import type { LentStore } from "../../../api/index.ts";
import { type Bytes, type Call, type Digest, KilnError } from "../../../base/index.ts";
import { content } from "../../../formats/proto/index.ts";
import {
  type Channel,
  createClient,
  fromStatus,
  StatusError,
  statusCodes,
} from "../../grpc/index.ts";
import { metadataKeys } from "../metadata.ts";

const { WriteAction } = content;

/** Largest piece in one message, in bytes: older clients take no more than 4 MiB. */
const pieceSize = 1 << 20;

/** `place` is for messages. Whether there is such a store shows when it is used. */
export function remoteStore(channel: Channel, id: string, place: string): LentStore {
  const client = createClient(content.ContentDefinition, channel);
  const metadata = new Map([[metadataKeys.store, [id]]]);
  const withStore = ({ signal }: Call) => ({ signal, sendMetadata: metadata });
  return {
    place,
    async size(digest, call) {
      try {
        const { info } = await client.info({ digest }, withStore(call));
        return info?.size;
      } catch (error) {
        if (!(error instanceof StatusError)) throw error;
        if (error.code === statusCodes.NOT_FOUND) return undefined;
        throw fromStatus(error);
      }
    },
    read: (digest, call) => readBlob(client.read({ digest, offset: 0, size: 0 }, withStore(call))),
    async write(digest, size, data, call) {
      const requests = uploadOf(digest, size, data);
      let committed = false;
      try {
        for await (const { action } of client.write(requests, withStore(call)))
          committed ||= action === WriteAction.COMMIT;
      } catch (error) {
        if (!(error instanceof StatusError)) throw error;
        if (error.code === statusCodes.ALREADY_EXISTS) return;
        throw fromStatus(error);
      }
      if (!committed) throw new KilnError("EXPORT_FAILED", `${place} did not take blob ${digest}`);
    },
  };
}

async function* readBlob(answers: AsyncIterable<content.ReadContentResponse>): Bytes {
  let at = 0;
  try {
    for await (const { offset, data } of answers) {
      if (offset !== at)
        throw new KilnError("BLOB_CORRUPT", `a blob came in disorder: ${offset} after ${at} bytes`);
      at += data.length;
      if (data.length > 0) yield data;
    }
  } catch (error) {
    throw error instanceof StatusError ? fromStatus(error) : error;
  }
}

async function* uploadOf(digest: Digest, total: number, data: Bytes) {
  const request = { ref: `upload-${digest}`, total, expected: digest, labels: new Map() };
  yield { ...request, action: WriteAction.STAT, offset: 0, data: new Uint8Array() };
  let offset = 0;
  for await (const chunk of data) {
    for (let at = 0; at < chunk.length; at += pieceSize) {
      const piece = chunk.subarray(at, at + pieceSize);
      yield { ...request, action: WriteAction.WRITE, offset, data: piece };
      offset += piece.length;
    }
  }
  yield { ...request, action: WriteAction.COMMIT, offset, data: new Uint8Array() };
}
