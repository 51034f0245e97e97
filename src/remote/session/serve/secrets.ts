// The asking side's secrets, SSH agents and uploads.
import { posix } from "node:path";
import { pipeline } from "node:stream";
import type { Session } from "../../../api/index.ts";
import { secrets, sshforward, upload } from "../../../formats/proto/index.ts";
import { bind, type Service, StatusError, statusCodes, tunnel } from "../../grpc/index.ts";
import { metadataKeys } from "../metadata.ts";

export function serveSecrets(session: Session): Service {
  return bind(secrets.SecretsDefinition, {
    async getSecret({ ID }, call) {
      const data = await session.secret(ID, call);
      if (data) return { data };
      throw new StatusError(statusCodes.NOT_FOUND, `secret ${ID}: not found`);
    },
  });
}

export function serveSsh(session: Session): Service {
  return bind(sshforward.SSHDefinition, {
    async checkAgent({ ID }, call) {
      if (await session.ssh(ID || "default", call)) return {};
      throw new StatusError(statusCodes.NOT_FOUND, `unset ssh forward key ${ID || "default"}`);
    },
    async *forwardAgent(incoming, call) {
      const id = call.metadata.get(metadataKeys.sshAgent)?.[0] || "default";
      const agent = await session.ssh(id, call);
      if (!agent) throw new StatusError(statusCodes.NOT_FOUND, `unset ssh forward key ${id}`);
      const { socket, outgoing } = tunnel(incoming);
      const conversation = agent.connect();
      // A conversation that breaks off ends the tunnel, which says all there is to say.
      pipeline(socket, conversation, socket, () => conversation.destroy());
      try {
        yield* outgoing;
      } finally {
        socket.destroy();
        conversation.destroy();
      }
    },
  });
}

/** Largest piece in one message, in bytes. */
const pieceSize = 1 << 20;

export function serveUpload(session: Session): Service {
  return bind(upload.UploadDefinition, {
    async *pull(_incoming, call) {
      const id = posix.basename(call.metadata.get(metadataKeys.uploadPath)?.[0] ?? "");
      const data = session.upload?.(id, call);
      if (!data)
        throw new StatusError(statusCodes.NOT_FOUND, `no http response from session for ${id}`);
      for await (const chunk of data)
        for (let at = 0; at < chunk.length; at += pieceSize)
          yield { data: chunk.subarray(at, at + pieceSize) };
    },
  });
}
