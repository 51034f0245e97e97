// One image for two registries, one of which dies at each request of the protocol in turn: both or none get the name.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  exporterParts,
  namedLayers,
  silentCall,
  solvedPlatform,
  solvedResult,
} from "../../../../test/kit/exporting.ts";
import { startRegistry, type TestRegistry } from "../../../../test/kit/registry.ts";
import type { Session } from "../../../api/index.ts";
import { digestOf } from "../../../base/index.ts";
import { mediaTypes, parseDescriptor } from "../../../formats/oci/index.ts";
import { type ContentStore, openContentStore } from "../../../storage/content/index.ts";
import { createBlobOrigins } from "../../../storage/image/index.ts";
import { createRegistry } from "../../../storage/registry/index.ts";
import { createExporters } from "../create-exporters.ts";
import { createPushJournal } from "./push-journal.ts";

let root: string;
let a: TestRegistry;
let b: TestRegistry;
let content: ContentStore;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "kiln-several-"));
  [a, b] = await Promise.all([startRegistry(), startRegistry()]);
  content = await openContentStore(join(root, "content"));
});
afterEach(async () => {
  await Promise.all([a, b].map((one) => one[Symbol.asyncDispose]()));
  rmSync(root, { recursive: true, force: true });
});

const copied = { created_by: "COPY file /", comment: "buildkit.dockerfile.v0" };
const image = (layer: string) =>
  solvedResult(
    solvedPlatform(
      { os: "linux", architecture: "amd64" },
      [{ id: "shared" }, { id: layer }],
      [copied, copied],
    ),
  );

/** Impatient: what is down stays down. */
const client = createRegistry({
  credentials: async () => undefined,
  hosts: {},
  userAgent: "kiln-test",
  environment: {},
  limits: { retryBudget: 30, retryDelay: 1, connectTimeout: 500, idleTimeout: 500 },
});

const names = () => [`${a.host}/app:1`, `${b.host}/app:1`];

async function push(layer: string): Promise<string> {
  const exporters = createExporters({
    ...exporterParts(root, content, namedLayers([])),
    registry: () => client,
    listing: (_registry, repository) => client.listing(repository),
    origins: createBlobOrigins(join(root, "origins")),
  });
  const exporter = exporters.get("registry");
  if (!exporter) throw new Error("no exporter");
  const attrs = { name: names().join(",") };
  const session = {} as Session;
  await exporter.check?.(attrs, session, silentCall);
  await using prepared = await exporter.prepare(image(layer), attrs, session, silentCall);
  const response = await prepared.finish(silentCall);
  prepared.keep?.();
  return response["containerimage.digest"] ?? "";
}

const tagOf = (registry: TestRegistry) => {
  const found = registry.store.manifest("app", "1");
  return found && digestOf(found.data);
};
/** Blobs whose bytes came in whole since the requests were forgotten. */
const uploaded = (registry: TestRegistry): ReadonlySet<string> =>
  new Set(
    registry.requests
      .filter(({ method, path }) => method === "PUT" && path.includes("/uploads/"))
      .map(({ query }) => query.get("digest") ?? ""),
  );
const forget = () => {
  a.forgetRequests();
  b.forgetRequests();
};

describe("a registry that dies", () => {
  test("at any request leaves the names as they were, and the next push sends nothing twice", async () => {
    const old = await push("old");
    forget();
    const after = await push("probe");
    const requests = b.requests.length;
    expect(requests).toBeGreaterThan(6);
    expect(after).not.toBe(old);
    let died = 0;
    let sentAgain = 0;
    for (let at = 0; at < requests + 2; at++) {
      const before = await push(`before ${at}`);
      forget();
      b.fail({ after: at, times: Number.POSITIVE_INFINITY }, { kind: "cut" });
      const outcome = await push(`new ${at}`).then(
        (digest) => digest,
        () => undefined,
      );
      const sent = [...uploaded(a)].filter((digest) => a.store.blob("app", digest));
      const healed = b.heal();
      if (outcome === undefined) {
        died++;
        // What B was told last it may not have heard: A, which lives, has the old image in any case.
        expect(tagOf(a), `B died at request ${at} of ${requests}`).toBe(before);
      } else expect([tagOf(a), tagOf(b)]).toEqual([outcome, outcome]);
      expect(healed).toBe(true);
      forget();
      const next = await push(`new ${at}`);
      expect([tagOf(a), tagOf(b)]).toEqual([next, next]);
      sentAgain += sent.filter((digest) => uploaded(a).has(digest)).length;
    }
    process.stdout.write(
      `several registries: B died at ${died} of ${requests + 2} places, A kept its image each time, ${sentAgain} blobs sent to A twice\n`,
    );
    expect(died).toBeGreaterThan(5);
    expect(sentAgain).toBe(0);
  }, 120_000);

  test("by refusing the tag has the others' put back", async () => {
    const old = await push("old");
    b.fail({ method: "PUT", path: /manifests\/1$/ }, { kind: "status", status: 500 });
    b.fail({ method: "PUT", path: /manifests\/1$/, times: 99 }, { kind: "status", status: 403 });
    await expect(push("new")).rejects.toThrow(/every name stands for what it stood for before/);
    expect([tagOf(a), tagOf(b)]).toEqual([old, old]);
  });

  test("has a name that is new on the others taken away again", async () => {
    b.fail({ method: "PUT", path: /manifests\/1$/, times: 99 }, { kind: "status", status: 403 });
    await expect(push("new")).rejects.toThrow();
    expect([tagOf(a), tagOf(b)]).toEqual([undefined, undefined]);
  });
});

test("a name that cannot be taken away again is told", async () => {
  await a[Symbol.asyncDispose]();
  a = await startRegistry({ noDelete: true });
  b.fail({ method: "PUT", path: /manifests\/1$/, times: 99 }, { kind: "status", status: 403 });
  const failure = await push("new").catch((error: unknown) => error);
  expect(String(failure)).toContain("some names could not be put back");
  expect((failure as { others: readonly Error[] }).others[0]?.message).toMatch(
    /app:1 could not be put back; it did not exist before/,
  );
});

describe("what a killed process left", () => {
  const dead = "0_0_1_1";

  async function interrupted() {
    const old = await push("old");
    const data = new TextEncoder().encode('{"schemaVersion":2,"mediaType":"x"}');
    for (const registry of [a, b])
      registry.addManifest("app", undefined, data, mediaTypes.ociManifest);
    a.addManifest("app", "1", data, mediaTypes.ociManifest);
    const descriptor = {
      mediaType: mediaTypes.ociManifest,
      digest: digestOf(data),
      size: data.length,
    };
    const size = b.store.manifest("app", "1")?.data.length ?? 0;
    const before = parseDescriptor({ mediaType: mediaTypes.ociManifest, digest: old, size }, "old");
    const journal = createPushJournal(join(exporterDirectory(), "pushes"), dead);
    journal.begin({
      root: { descriptor, data },
      moves: [a, b].map(({ host }) => ({ repository: `${host}/app`, tag: "1", before })),
    });
    return { old, descriptor };
  }

  const exporterDirectory = () => exporterParts(root, content, namedLayers([])).directory;
  const left = () => readdirSync(join(exporterDirectory(), "pushes"));

  test("in the middle of the names is completed by the next push", async () => {
    const { descriptor } = await interrupted();
    const seen: string[] = [];
    // The interrupted names come first, then this push's own.
    b.fail(
      { method: "PUT", path: /manifests\/1$/, after: 1, times: 99 },
      { kind: "status", status: 403 },
    );
    await push("new").catch((error: unknown) => seen.push(String(error)));
    expect([tagOf(a), tagOf(b)]).toEqual([descriptor.digest, descriptor.digest]);
    expect(left()).toEqual([]);
  });

  test("goes back where it cannot be completed", async () => {
    const { old } = await interrupted();
    b.fail({ method: "PUT", path: /manifests\/1$/, times: 99 }, { kind: "status", status: 403 });
    await expect(push("new")).rejects.toThrow();
    expect([tagOf(a), tagOf(b)]).toEqual([old, old]);
    expect(left()).toEqual([]);
  });

  test("is left alone where somebody has pushed the name since", async () => {
    const { old } = await interrupted();
    const theirs = new TextEncoder().encode('{"schemaVersion":2,"mediaType":"y"}');
    b.addManifest("app", "1", theirs, mediaTypes.ociManifest);
    b.fail({ method: "PUT", path: /manifests\/1$/, times: 99 }, { kind: "status", status: 403 });
    await expect(push("new")).rejects.toThrow();
    expect(tagOf(b)).toBe(digestOf(theirs));
    expect(old).not.toBe(tagOf(b));
    expect(left()).toEqual([]);
  });
});
