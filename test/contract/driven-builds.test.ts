// Builds that a client drives, over the wire: what it says beside its results, and what it is told of steps that fail.
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duplexPair } from "node:stream";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ExportRequest, Session } from "../../src/api/index.ts";
import { AsyncStack, uncancelled } from "../../src/base/index.ts";
import { type Engine, openEngine } from "../../src/engine/engine.ts";
import { tarEntries } from "../../src/formats/archive/index.ts";
import { encodeDefinition, type FileStep, scratch } from "../../src/formats/llb/index.ts";
import { gateway, pb } from "../../src/formats/proto/index.ts";
import { serveBridge } from "../../src/remote/daemon/index.ts";
import {
  type Client,
  createClient,
  openChannel,
  StatusError,
} from "../../src/remote/grpc/index.ts";
import { describeWith } from "../kit/needs.ts";
import { gathered } from "../kit/tar.ts";

const platform = { os: "linux", architecture: process.arch === "arm64" ? "arm64" : "amd64" };
const id = `${platform.os}/${platform.architecture}`;
const call = uncancelled;
const bytes = (text: string) => new TextEncoder().encode(text);
const file = (path: string, text: string): FileStep => ({
  kind: "mkfile",
  path,
  mode: 0o644,
  data: bytes(text),
});
const statement = (type: string) =>
  JSON.stringify({
    _type: "https://in-toto.io/Statement/v0.1",
    predicateType: type,
    subject: [{ name: "thing", digest: { sha256: "ab".repeat(32) } }],
    predicate: { z: 1, a: 2 },
  });

type Bridge = Client<typeof gateway.LLBBridgeDefinition>;

describeWith(["root"], "a client that drives its build", () => {
  const owned = new AsyncStack();
  let engine: Engine;

  beforeAll(async () => {
    const root = mkdtempSync(join(tmpdir(), "kiln-driven-"));
    owned.defer(() => rmSync(root, { recursive: true, force: true }));
    engine = owned.use(
      await openEngine({ root, hosts: {}, version: "0.0.0", now: () => new Date(0) }),
    );
  });

  afterAll(async () => {
    await owned[Symbol.asyncDispose]();
  });

  /** Runs `client` at the other end of a build, and answers the files of its outputs. */
  async function drive(
    exporters: readonly ExportRequest[],
    client: (bridge: Bridge) => Promise<gateway.Result | undefined>,
  ): Promise<ReadonlyMap<string, string>> {
    const files = new Map<string, string>();
    const session = {
      directory: () => undefined,
      async receive(_target, tar) {
        for await (const { header, data } of tarEntries(tar, call))
          files.set(header.path, new TextDecoder().decode(await gathered(data)));
      },
    } as Partial<Session> as Session;
    const build = engine.build(
      {
        ref: randomUUID(),
        attrs: {},
        exporters,
        async drive(bridge, driving) {
          const [near, far] = duplexPair();
          const answered = serveBridge(bridge, far, driving);
          answered.catch(() => {});
          await using channel = openChannel(near);
          const wire = createClient(gateway.LLBBridgeDefinition, channel);
          const result = await client(wire);
          await wire.return(gateway.ReturnRequest.create(result ? { result } : {}), call);
          return await answered;
        },
      },
      session,
      call,
    );
    await build.result;
    return files;
  }

  async function solve(wire: Bridge, steps: readonly FileStep[], evaluate = false) {
    const marshalled = scratch().file(steps).marshal({ platform, localUniqueId: "test" });
    const Definition = pb.Definition.decode(encodeDefinition(marshalled));
    const request = { Definition, allowResultReturn: true, Evaluate: evaluate };
    const { result } = await wire.solve(gateway.SolveRequest.create(request), call);
    if (result?.result?.$case !== "ref") throw new Error("no reference");
    return result.result.value;
  }

  /** A result with attestations beside it. */
  async function attested(
    wire: Bridge,
    attestations: readonly Partial<gateway.Attestation>[],
  ): Promise<gateway.Result> {
    const value = await solve(wire, [file("/greeting", "hello")]);
    const attestation = attestations.map((one) => gateway.Attestation.create(one));
    return gateway.Result.create({
      result: { $case: "ref", value },
      attestations: new Map([[id, gateway.Attestations.create({ attestation })]]),
    });
  }

  const tar = [{ type: "tar", attrs: { "attestation-prefix": "said." } }];

  it("puts predicates beside the files that they are about", async () => {
    const files = await drive(tar, async (wire) => {
      const ref = await solve(wire, [file("/one.json", '{"success": true}')]);
      const [path, inTotoPredicateType] = ["/one.json", "https://example.com/one"];
      const subjects = [
        { kind: 0 as const, name: "alias", digest: [] },
        { kind: 1 as const, name: "", digest: [`sha256:${"cd".repeat(32)}`] },
      ];
      return attested(wire, [{ ref, path, inTotoPredicateType, inTotoSubjects: subjects }]);
    });
    const digest = { sha256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" };
    expect(JSON.parse(files.get("said.one.json") ?? "")).toEqual({
      _type: "https://in-toto.io/Statement/v0.1",
      predicateType: "https://example.com/one",
      subject: [
        { name: "greeting", digest },
        { name: "alias", digest },
        { name: "_", digest: { sha256: "cd".repeat(32) } },
      ],
      predicate: { success: true },
    });
  });

  it("takes bundles apart", async () => {
    const files = await drive(tar, async (wire) => {
      const ref = await solve(wire, [
        { kind: "mkdir", path: "/all", mode: 0o755 },
        file("/all/b.json", statement("https://example.com/b")),
        file("/all/a.json", statement("https://example.com/a")),
      ]);
      return attested(wire, [{ kind: gateway.AttestationKind.Bundle, ref, path: "/all" }]);
    });
    expect([...files.keys()].filter((name) => name.startsWith("said"))).toEqual([
      "said.a.json",
      "said.b.json",
    ]);
    const said = files.get("said.a.json") ?? "";
    expect(JSON.parse(said).subject).toEqual([
      { name: "thing", digest: { sha256: "ab".repeat(32) } },
    ]);
    // As the reference writes what it has read.
    expect(said.indexOf('"a"')).toBeLessThan(said.indexOf('"z"'));
  });

  it.each([
    ["one without a path", {}, "attestation does not have set path"],
    ["a file that is not there", { path: "/nope" }, "no such file"],
    ["what is not JSON", { path: "/text" }, "not a single JSON document"],
    [
      "provenance, which is the builder's",
      { path: "/text", inTotoPredicateType: "https://slsa.dev/provenance/v1" },
      "frontend may not set provenance attestations",
    ],
    ["a bundle that is no directory", { kind: 1 as const, path: "/text" }, "no such directory"],
    [
      "a bundle of another type",
      { kind: 1 as const, path: "/all", inTotoPredicateType: "https://example.com/b" },
      "does not match required predicate type",
    ],
  ])("refuses %s", async (_name, wrong, why) => {
    const failing = drive(tar, async (wire) => {
      const ref = await solve(wire, [
        file("/text", "text"),
        { kind: "mkdir", path: "/all", mode: 0o755 },
        file("/all/a.json", statement("https://example.com/a")),
      ]);
      return attested(wire, [{ inTotoPredicateType: "https://example.com/a", ...wrong, ref }]);
    });
    await expect(failing).rejects.toThrow(why);
  });

  it("is told which action on files failed, and what it left", async () => {
    await drive([], async (wire) => {
      const steps = [file("/first", "1"), file("/no/directory/second", "2")];
      const failed = await solve(wire, steps, true).catch((error: unknown) => error);
      expect(failed).toBeInstanceOf(StatusError);
      const { message, details } = failed as StatusError;
      expect(message).toBe("open /no/directory/second: no such file or directory");
      const found = details.find(({ typeUrl }) => typeUrl.endsWith("errdefs.Solve+json"));
      const left = JSON.parse(new TextDecoder().decode(found?.value));
      expect(left.file).toEqual({ index: 1 });
      expect(left.op.file.actions).toHaveLength(2);
      const request = gateway.ReadFileRequest.create({ Ref: left.mountIDs[1], FilePath: "/first" });
      const { Data } = await wire.readFile(request, call);
      expect(new TextDecoder().decode(Data)).toBe("1");
      return undefined;
    });
  });
});
