// Lending a host's socket to a step: a socket with the wanted owner and mode whose connections are passed on.
import { chmodSync, chownSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";

export interface SocketOwner {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Listens at `path`, a free name, and passes every connection on to the socket at `target`, which stays as it is on the
 * host. Disposing closes the socket and all of its connections.
 */
export async function openRelay(
  path: string,
  target: string,
  owner: SocketOwner,
): Promise<AsyncDisposable> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ path: target, allowHalfOpen: true });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one);
      one.pipe(other);
      one.on("error", () => other.destroy());
      one.on("close", () => open.delete(one));
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  chownSync(path, owner.uid, owner.gid);
  chmodSync(path, owner.mode);
  return {
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}
