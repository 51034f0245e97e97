// What both sides of a connection do alike: limits and pings.
import type { ConnectionLimits, Http2Connection } from "../http2/index.ts";

/** What the other side may do. Headers of 1 MiB hold a status with the text of a Dockerfile. */
export function limitsOf(maxConcurrentStreams: number): ConnectionLimits {
  return {
    // A file's worth, so that distance does not slow it.
    streamWindow: 4 << 20,
    // Calls that nobody reads must not stop the others of a connection.
    connectionWindow: 32 << 20,
    maxFrameSize: 1 << 20,
    maxHeaderListSize: 1 << 20,
    maxConcurrentStreams,
  };
}

/**
 * Pings every `period` milliseconds and destroys the connection when an answer takes as long. Returns what stops it.
 * Servers of grpc-go end connections that ping more often than every five minutes: only for sides that expect it.
 */
export function keepAlive(connection: Http2Connection, period: number | undefined): () => void {
  if (period === undefined) return () => {};
  let answered = true;
  const timer = setInterval(() => {
    if (!answered) {
      connection.destroy(new Error(`no answer to a ping in ${period} ms`));
      return;
    }
    answered = false;
    void connection.ping().then(() => {
      answered = true;
    });
  }, period);
  timer.unref();
  return () => clearInterval(timer);
}
