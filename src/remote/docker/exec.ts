// Running a program in a container: its streams come over one connection, in frames that say which stream they are of.
import { Duplex } from "node:stream";
import { type Call, concatBytes, isRecord, KilnError } from "../../base/index.ts";
import type { DockerEngine } from "./engine-api.ts";

/** Frames beyond this are none of docker's. */
const maxFrame = 64 * 1024 * 1024;
const maxComplaint = 4096;

/**
 * Starts `command` in a container and resolves with its standard input and output as one stream; what it writes to
 * standard error is part of the error the stream ends with. Throws `DOCKER_FAILED`.
 */
export async function execStream(
  engine: DockerEngine,
  container: string,
  command: readonly string[],
  call: Call,
): Promise<Duplex> {
  const made = await engine.json(
    {
      method: "POST",
      path: `/containers/${encodeURIComponent(container)}/exec`,
      json: { AttachStdin: true, AttachStdout: true, AttachStderr: true, Cmd: command },
    },
    call,
  );
  const id = isRecord(made) ? made["Id"] : undefined;
  if (typeof id !== "string")
    throw new KilnError("DOCKER_FAILED", "docker made an exec without a name");
  const raw = await engine.hijack(
    { method: "POST", path: `/exec/${id}/start`, json: { Detach: false, Tty: false } },
    "tcp",
    call,
  );
  return unframed(raw, command);
}

/** The stream inside docker's frames: one byte for which, three of nothing, four for how long, then the bytes. */
export function unframed(raw: Duplex, command: readonly string[]): Duplex {
  const frames = frameReader();
  let complaint = "";
  const stream = new Duplex({
    read: () => void raw.resume(),
    write(chunk, _encoding, done) {
      if (raw.write(chunk)) done();
      else raw.once("drain", () => done());
    },
    final(done) {
      raw.end(() => done());
    },
    destroy(error, done) {
      raw.destroy();
      done(error);
    },
  });
  raw.on("data", (chunk: Uint8Array) => {
    for (const frame of frames(chunk)) {
      if (frame === "malformed") return void stream.destroy(malformed());
      if (frame.kind === 2)
        complaint = (complaint + new TextDecoder().decode(frame.data)).slice(-maxComplaint);
      else if (!stream.push(frame.data)) raw.pause();
    }
  });
  raw.on("error", (error) => stream.destroy(error));
  raw.on("end", () => {
    const said = complaint.trim();
    if (said === "") return void stream.push(null);
    stream.destroy(new KilnError("BUILDER_UNREACHABLE", `${command.join(" ")} failed: ${said}`));
  });
  return stream;
}

type Frame = { readonly kind: number; readonly data: Uint8Array } | "malformed";

/** Takes chunks as they come and gives the data of frames as soon as it is there, not only when a frame is whole. */
function frameReader(): (chunk: Uint8Array) => readonly Frame[] {
  let header: Uint8Array = new Uint8Array();
  let kind = 0;
  let left = 0;
  return (chunk) => {
    const out: Frame[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (left > 0) {
        const data = chunk.subarray(at, at + left);
        out.push({ kind, data });
        left -= data.length;
        at += data.length;
        continue;
      }
      const part = chunk.subarray(at, at + 8 - header.length);
      header = concatBytes([header, part]);
      at += part.length;
      if (header.length < 8) break;
      kind = header[0] ?? 0;
      left = new DataView(header.buffer, header.byteOffset, 8).getUint32(4);
      header = new Uint8Array();
      if (kind > 2 || left > maxFrame) return [...out, "malformed"];
    }
    return out;
  };
}

function malformed(): KilnError {
  return new KilnError("DOCKER_FAILED", "docker's stream is not in frames as it should be");
}
