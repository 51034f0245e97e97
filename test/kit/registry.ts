// A registry in this process: the distribution protocol over memory, with every request on record and faults on order.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type Digest, digestOf } from "../../src/base/index.ts";
import type { Descriptor } from "../../src/formats/oci/index.ts";
import { type AuthRules, createGuard, type Guard } from "./registry-auth.ts";
import { type Fault, FaultList, type FaultRule } from "./registry-faults.ts";
import { answer, type RegistryRules } from "./registry-protocol.ts";
import { RegistryStore } from "./registry-store.ts";

export interface TestRegistryOptions extends RegistryRules {
  readonly auth?: AuthRules;
  /** PEM texts; with them the registry speaks https. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** What came in, in order. Headers are as Node gives them. */
export interface RecordedRequest {
  readonly method: string;
  /** Path without `/v2/`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  /** Bytes of body received so far. */
  received: number;
}

export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly url: string;
  readonly requests: readonly RecordedRequest[];
  readonly store: RegistryStore;
  readonly guard: Guard;
  /** The next matching requests (one, if nothing else is said) meet this fault. */
  fail(rule: FaultRule, fault: Fault): void;
  /** No more faults; says whether any were left. */
  heal(): boolean;
  /** `GET a/blobs/sha256:…` and the like, one for each request: shortened digests, no query. */
  log(): readonly string[];
  forgetRequests(): void;
  addBlob(repository: string, data: Uint8Array | string, mediaType?: string): Descriptor;
  addManifest(
    repository: string,
    tag: string | undefined,
    data: Uint8Array,
    mediaType: string,
  ): Descriptor;
}

/** Starts on a free loopback port. Disposing cuts what is still open. */
export async function startRegistry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const store = new RegistryStore();
  const faults = new FaultList();
  const requests: RecordedRequest[] = [];
  let url = "";
  const guard = createGuard(options.auth, () => url);
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    const target = new URL(request.url ?? "/", url);
    const record: RecordedRequest = {
      method: request.method ?? "",
      path: target.pathname.replace(/^\/v2\//, ""),
      query: target.searchParams,
      headers: request.headers,
      received: 0,
    };
    requests.push(record);
    const fault = faults.take(record);
    answer({ request, response, record, store, guard, fault, rules: options, base: url }).catch(
      () => response.destroy(),
    );
  };
  const server: Server = options.tls
    ? createSecureServer({ ...options.tls }, onRequest)
    : createServer(onRequest);
  // A connection that the client keeps must not be closed under its next request.
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  url = `${options.tls ? "https" : "http"}://${host}`;
  return {
    host,
    url,
    requests,
    store,
    guard,
    heal: () => faults.clear(),
    fail: (rule, fault) => faults.add(rule, fault),
    log: () => requests.map(({ method, path }) => `${method} ${shorten(path)}`),
    forgetRequests: () => requests.splice(0),
    addBlob(repository, data, mediaType = "application/octet-stream") {
      const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
      return { mediaType, digest: store.addBlob(repository, bytes), size: bytes.length };
    },
    addManifest(repository, tag, data, mediaType) {
      const digest: Digest = digestOf(data);
      store.addManifest(repository, digest, { data, mediaType });
      if (tag !== undefined) store.addManifest(repository, tag, { data, mediaType });
      return { mediaType, digest, size: data.length };
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function shorten(path: string): string {
  return path
    .replace(/sha256:([0-9a-f]{6})[0-9a-f]{58}/g, "sha256:$1")
    .replace(/uploads\/u\d+/, "uploads/ID");
}
