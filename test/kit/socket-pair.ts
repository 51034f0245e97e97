// A connection on this machine, for tests that need both of its ends.
import { connect, createServer, type Socket } from "node:net";

export async function socketPair(): Promise<[near: Socket, far: Socket]> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const near = connect(port, "127.0.0.1");
  const pair: [Socket, Socket] = [near, await accepted];
  server.close();
  return pair;
}
