// What both sides of a connection do alike: windows, limits, pings.
import type { ClientHttp2Session, ServerHttp2Session, SessionOptions } from "node:http2";
import type { Duplex } from "node:stream";

/** Bytes that may be on their way in one call before they are read; a file's worth, so that distance does not slow it. */
const streamWindow = 4 << 20;
/** Bytes on their way in all calls of a connection: 160 MB/s at a distance of 50 ms, and what may wait in its wire. */
const connectionWindow = 8 << 20;

/** Limits of HTTP/2 itself. Headers of 1 MiB hold a status with the text of a Dockerfile. */
export const sessionSettings: SessionOptions & {
  readonly settings: NonNullable<SessionOptions["settings"]>;
} = {
  settings: {
    initialWindowSize: streamWindow,
    maxFrameSize: 1 << 20,
    maxHeaderListSize: 1 << 20,
    enablePush: false,
  },
  maxSendHeaderBlockLength: 1 << 20,
  maxSessionMemory: 256,
};

/** The window of a whole connection is no setting: it is widened by a message. */
export function widenWindow(session: ClientHttp2Session | ServerHttp2Session): void {
  const widen = () => {
    if (!session.destroyed) session.setLocalWindowSize(connectionWindow);
  };
  if ("connecting" in session && session.connecting) session.once("connect", widen);
  else widen();
}

/**
 * Pings every `period` milliseconds and destroys the connection when an answer takes as long. Returns what stops it.
 * Servers of grpc-go end connections that ping more often than every five minutes: only for sides that expect it.
 */
export function keepAlive(
  session: ClientHttp2Session | ServerHttp2Session,
  period: number | undefined,
): () => void {
  if (period === undefined) return () => {};
  let answered = true;
  const timer = setInterval(() => {
    if (session.destroyed || session.closed) return;
    if (!answered) return session.destroy(new Error(`no answer to a ping in ${period} ms`));
    answered = false;
    session.ping(() => {
      answered = true;
    });
  }, period);
  timer.unref();
  return () => clearInterval(timer);
}

/** Milliseconds that a connection may take for its end. */
const farewell = 1000;

/** Ends a connection, also one whose other side has stopped to read. `closed` resolves when it has ended. */
export async function cutOff(
  session: ClientHttp2Session | ServerHttp2Session,
  socket: Duplex,
  closed: Promise<void>,
): Promise<void> {
  session.destroy();
  // A session waits for its last write.
  const timer = setTimeout(() => socket.destroy(), farewell);
  await closed;
  clearTimeout(timer);
}
