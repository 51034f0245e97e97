// Lending a conversation to a step: a socket with the wanted owner and mode whose connections are passed on.
import { chmodSync, chownSync, closeSync, constants, openSync } from "node:fs";
import { createServer } from "node:net";
import type { Duplex } from "node:stream";
import { canChown } from "../../storage/snapshot/index.ts";

export interface SocketOwner {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Listens at `name`, which is free, in `directory`, and passes every connection on to one of `connect`. Disposing closes
 * the socket and all of its connections.
 */
export async function openRelay(
  directory: string,
  name: string,
  connect: () => Duplex,
  owner: SocketOwner,
): Promise<AsyncDisposable> {
  const open = new Set<Duplex>();
  // The kernel takes no more than 107 bytes for the path of a socket, and ours may be anywhere.
  const place = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  const path = `/proc/self/fd/${place}/${name}`;
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect();
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
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
    if (canChown) chownSync(path, owner.uid, owner.gid);
    chmodSync(path, owner.mode);
  } catch (error) {
    server.close();
    closeSync(place);
    throw error;
  }
  return {
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => {
          closeSync(place);
          resolve();
        });
        for (const socket of open) socket.destroy();
      }),
  };
}
