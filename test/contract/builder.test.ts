// The engine, and a client of a daemon in front of one: the same builds, the same answers.
import { mkdirSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import type { Builder } from "../../src/api/index.ts";
import { openEngine } from "../../src/engine/engine.ts";
import { openRemoteBuilder } from "../../src/remote/client/index.ts";
import { serveBuilder } from "../../src/remote/daemon/index.ts";
import { createGrpcServer } from "../../src/remote/grpc/index.ts";
import { describeWith } from "../kit/needs.ts";
import { builderContract } from "./builder.ts";

const now = () => new Date();
const openLocal = (root: string): Promise<Builder> =>
  openEngine({ root, hosts: {}, version: "0.0.0", now });

/** A daemon in this process, behind a socket below its root. Disposing the builder ends all of it. */
async function openServed(root: string): Promise<Builder> {
  const engine = await openLocal(root);
  const version = { package: "kiln", version: "v0.0.0", revision: "" };
  const server = createGrpcServer(serveBuilder(engine, { workerId: "contract", version, now }));
  const path = join(root, "contract.sock");
  mkdirSync(root, { recursive: true });
  const listener = createServer((socket) => void server.accept(socket));
  await new Promise<void>((resolve) => listener.listen(path, resolve));
  const client = openRemoteBuilder(async () => connect(path), { name: "contract" });
  return {
    ...client,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      listener.close();
      await server[Symbol.asyncDispose]();
      await engine[Symbol.asyncDispose]();
    },
  };
}

describeWith(["root"], "the engine is a builder", () => builderContract(openLocal));
describeWith(["root"], "a daemon's client is a builder", () => builderContract(openServed));
