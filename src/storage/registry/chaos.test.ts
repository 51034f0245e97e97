// A registry that fails at random: whatever is asked of it in the end succeeds.
import { expect, test } from "vitest";
import { startRegistry, type TestRegistry } from "../../../test/kit/registry.ts";
import { call, gather, someBytes, source, testClient } from "../../../test/kit/registry-client.ts";
import type { Fault } from "../../../test/kit/registry-faults.ts";
import { digestOf } from "../../base/index.ts";
import { mediaTypes, serializeIndex } from "../../formats/oci/index.ts";

const faults: readonly Fault[] = [
  { kind: "cut" },
  { kind: "cut", after: 20_000 },
  { kind: "status", status: 429, headers: { "retry-after": "0" } },
  { kind: "status", status: 500 },
  { kind: "status", status: 503 },
  { kind: "truncate", after: 20_000 },
  { kind: "refuse", after: 20_000, status: 502 },
];

/** Every request meets a random fault with this probability. */
function disturb(registry: TestRegistry, probability: number, random: () => number): void {
  for (const fault of faults) {
    registry.fail(
      { times: Number.POSITIVE_INFINITY, when: () => random() < probability / faults.length },
      fault,
    );
  }
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const seed = Number(process.env["KILN_SEED"] ?? Date.now() % 1e9);

test(`100 images are pushed and pulled through faults at every tenth request (KILN_SEED=${seed})`, async () => {
  await using registry = await startRegistry({
    auth: { kind: "token", username: "me", password: "pw" },
  });
  disturb(registry, 0.1, seeded(seed));
  const credentials = async () => ({ username: "me", password: "pw" });
  using client = testClient({ credentials, limits: { retryBudget: 20_000 } });
  for (let i = 0; i < 100; i++) {
    const name = `${registry.host}/image-${i}`;
    const layers = [0, 1].map((n) => someBytes(50_000, i * 2 + n));
    const pushed = client.push(name);
    await Promise.all(
      layers.map((layer) => {
        const blob = {
          mediaType: mediaTypes.ociLayer,
          digest: digestOf(layer),
          size: layer.length,
        };
        return pushed.write(blob, source(layer).open, call);
      }),
    );
    const data = serializeIndex({
      mediaType: mediaTypes.ociIndex,
      manifests: [],
      annotations: { i: String(i) },
    });
    const descriptor = {
      mediaType: mediaTypes.ociIndex,
      digest: digestOf(data),
      size: data.length,
    };
    await pushed.writeManifest(descriptor, data, "1", call);
    const pulled = client.pull(name);
    expect(await pulled.resolve("1", call)).toEqual(descriptor);
    expect(digestOf(await pulled.readManifest(descriptor, call))).toBe(descriptor.digest);
    for (const layer of layers) {
      const blob = { mediaType: mediaTypes.ociLayer, digest: digestOf(layer), size: layer.length };
      expect(digestOf(await gather(pulled.read(blob, call)))).toBe(blob.digest);
    }
  }
});
