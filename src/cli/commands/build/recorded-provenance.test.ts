// Provenance out of a builder's records: of the platforms that it has it for, in either form, and never at the cost of the build.
import { expect, it } from "vitest";
import type { BuildHistory, BuildRecord, RecordedBlob } from "../../../api/index.ts";
import { bytesOf, type Digest, digestOf, KilnError, uncancelled } from "../../../base/index.ts";
import { recordedProvenance } from "./recorded-provenance.ts";

const files = new Map<Digest, Uint8Array>();

function attestation(type: string, value: unknown): RecordedBlob {
  const data = new TextEncoder().encode(JSON.stringify(value));
  const digest = digestOf(data);
  files.set(digest, data);
  const annotations = { "in-toto.io/predicate-type": type };
  return { mediaType: "application/vnd.in-toto+json", digest, size: data.length, annotations };
}

/** A history with one record, whose results have these attestations by platform. */
function historyOf(
  attestations: Readonly<Record<string, readonly RecordedBlob[]>>,
  attrs: Readonly<Record<string, string>> = {},
): BuildHistory {
  const results = Object.entries(attestations).map(([platform, list]) => [
    platform,
    { attestations: list, results: [] },
  ]);
  const record = { ref: "r", attrs, results: Object.fromEntries(results) } as Partial<BuildRecord>;
  return {
    async *listen() {
      yield { type: "started", record: { ...record, results: {} } as BuildRecord };
      yield { type: "complete", record: record as BuildRecord };
    },
    update: async () => {},
    status: () => undefined,
    async blob(digest) {
      const data = files.get(digest);
      return data && { size: data.length, data: bytesOf(data) };
    },
  };
}

const slsa = "https://slsa.dev/provenance/v0.2";
const place = (history: BuildHistory, node = "n") => ({ builder: "b", node, ref: "r", history });

it("is the predicate of each platform, whether it was kept alone or in a statement", async () => {
  const history = historyOf({
    "linux/amd64": [attestation("https://spdx.dev/Document", {}), attestation(slsa, { a: 1 })],
    "linux/arm64": [attestation(slsa, { _type: "statement", predicate: { a: 2 } })],
    "linux/arm/v7": [],
  });
  expect(await recordedProvenance([place(history)], uncancelled)).toEqual({
    "linux/amd64": { a: 1 },
    "linux/arm64": { a: 2 },
  });
});

it("has the platforms of several nodes, each of which names none", async () => {
  const node = (platform: string, value: unknown) =>
    place(historyOf({ "": [attestation(slsa, value)] }, { platform }), platform);
  expect(
    await recordedProvenance(
      [node("linux/amd64", { a: 1 }), node("linux/arm64", { a: 2 })],
      uncancelled,
    ),
  ).toEqual({ "linux/amd64": { a: 1 }, "linux/arm64": { a: 2 } });
});

it("is left out where the builder has forgotten it, has no records, or keeps something else there", async () => {
  const gone = historyOf({ "": [{ ...attestation(slsa, { a: 3 }), digest: digestOf("gone") }] });
  const broken = attestation(slsa, 0);
  files.set(broken.digest, new TextEncoder().encode("{"));
  const without: BuildHistory = {
    ...gone,
    // biome-ignore lint/correctness/useYield: it fails first
    async *listen() {
      throw new KilnError("UNSUPPORTED", "no records");
    },
  };
  const places = [place(gone), place(historyOf({ "": [broken] })), place(without)];
  expect(await recordedProvenance(places, uncancelled)).toEqual({});
  expect(await recordedProvenance([{ builder: "b", node: "n", ref: "r" }], uncancelled)).toEqual(
    {},
  );
});
