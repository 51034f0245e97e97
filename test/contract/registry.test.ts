// The registry client against the tests' own registry and Debian's docker-registry, open, with a password and over TLS.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { startRegistry, type TestRegistry } from "../kit/registry.ts";
import { testCertificate } from "../kit/registry-certificate.ts";
import { call, testClient } from "../kit/registry-client.ts";
import { registryContract } from "./registry.ts";

const me = { username: "me", password: "secret" };
/** htpasswd -B of `me`. */
const passwordFile = "me:$2y$05$EKmErWY4A/ybK0SuxYZI7OfIDQ6JYOmY4J7.4Cq6s.9l.6/GSlMK.";

describe("the tests' own registry", () => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await startRegistry({ auth: { kind: "token", ...me } });
  });
  afterAll(() => registry[Symbol.asyncDispose]());
  registryContract(() => registry.host, { credentials: async () => me });
});

describeWith(["registry"], "docker-registry", () => {
  describe("open", () => {
    const registry = realRegistry("");
    registryContract(() => registry.host);
  });

  describe("with a password", () => {
    const registry = realRegistry("auth:\n  htpasswd: {realm: test, path: DIR/htpasswd}\n");
    registryContract(() => registry.host, { credentials: async () => me });

    test("denies those who have none, saying how to log in", async () => {
      await expect(testClient().checkPush(`${registry.host}/a`, call)).rejects.toMatchObject({
        code: "REGISTRY_DENIED",
        hint: expect.stringContaining(`kiln login ${registry.host}`),
      });
    });
  });

  describe("over TLS", () => {
    const registry = realRegistry("", "  tls: {certificate: DIR/cert.pem, key: DIR/key.pem}\n");
    const hosts = new Proxy(
      {},
      {
        // The port is known only once it runs.
        get: (_, name) => (name === registry.host ? secured : undefined),
        getOwnPropertyDescriptor: (_, name) =>
          name === registry.host
            ? { value: secured, configurable: true, enumerable: true }
            : undefined,
      },
    );
    const secured = { ca: [testCertificate.cert] };
    registryContract(() => registry.host, { hosts });
  });
});

/** Starts before the cases and stops after them. DIR in the configuration is its folder. */
function realRegistry(configuration: string, http = ""): { readonly host: string } {
  const started = { host: "" };
  let directory = "";
  let server: ChildProcess | undefined;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "kiln-registry-"));
    started.host = `127.0.0.1:${await freePort()}`;
    const text = `version: 0.1\nlog: {level: error}\nstorage:\n  filesystem: {rootdirectory: DIR/data}\nhttp:\n  addr: ${started.host}\n${http}${configuration}`;
    writeFileSync(join(directory, "config.yml"), text.replaceAll("DIR", directory));
    writeFileSync(join(directory, "htpasswd"), `${passwordFile}\n`);
    writeFileSync(join(directory, "cert.pem"), testCertificate.cert);
    writeFileSync(join(directory, "key.pem"), testCertificate.key);
    server = spawn("docker-registry", ["serve", join(directory, "config.yml")], {
      stdio: "ignore",
    });
    await answers(started.host);
  });
  afterAll(async () => {
    const ended = new Promise((resolve) => server?.once("exit", resolve));
    server?.kill("SIGKILL");
    await ended;
    rmSync(directory, { recursive: true, force: true });
  });
  return started;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answers(host: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const there = await fetch(`http://${host}/v2/`).then(
      () => true,
      (error: { cause?: { code?: string } }) => error.cause?.code !== "ECONNREFUSED",
    );
    if (there) return;
    await sleep(50);
  }
  throw new Error(`docker-registry does not answer at ${host}`);
}
