// Definitions of people who mean harm, or whose memory is bad.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Digest, digestOf, isKilnError } from "../../base/index.ts";
import { pb } from "../proto/index.ts";
import {
  type Definition,
  decodeDefinition,
  image,
  MAX_DEFINITION_BYTES,
  readDefinition,
} from "./index.ts";

const metadata = { description: {}, caps: [] };
const options = { platform: { os: "linux", architecture: "amd64" }, localUniqueId: "one" };

function op(message: Parameters<typeof pb.Op.create>[0]): Definition["ops"][number] {
  const bytes = pb.Op.encode(pb.Op.create(message)).finish();
  return { bytes, digest: digestOf(bytes), metadata };
}

const source = op({ op: { $case: "source", value: { identifier: "docker-image://x" } } });

function pointer(digest: string, index = 0): Definition["ops"][number] {
  return op({ inputs: [{ digest, index }] });
}

function refused(ops: Definition["ops"]): string {
  try {
    readDefinition({ ops });
  } catch (error) {
    if (isKilnError(error, "DEFINITION_INVALID")) return error.message;
    throw error;
  }
  return "accepted";
}

function refusedOp(message: Parameters<typeof pb.Op.create>[0]): string {
  const bad = op({ inputs: [{ digest: source.digest, index: 0 }], ...message });
  return refused([source, bad, pointer(bad.digest)]);
}

const meta = { args: ["true"], cwd: "/" };
const root = { dest: "/", input: 0, output: 0 };

describe("refused are", () => {
  it("ops whose bytes are not those of their digest", () => {
    const lying = { ...source, digest: digestOf("other") };
    expect(refused([lying, pointer(lying.digest)])).toContain("does not have the digest");
  });

  it("inputs that are not there, and outputs that do not exist", () => {
    expect(refused([pointer(digestOf("missing"))])).toContain("an input is missing");
    expect(refused([source, pointer(source.digest, 1)])).toContain("output 1 does not exist");
    expect(refused([source, pointer(source.digest, -1)])).toContain("output -1");
  });

  it("definitions that do not end with a pointer", () => {
    expect(refused([source])).toContain("does not point at the result");
    expect(
      refused([
        source,
        op({ inputs: [source, source].map(({ digest }) => ({ digest, index: 0 })) }),
      ]),
    ).toContain("does not point at the result");
  });

  it("ops in the middle that do nothing", () => {
    const empty = op({ inputs: [{ digest: source.digest, index: 0 }] });
    expect(refused([source, empty, pointer(empty.digest)])).toContain("does nothing");
  });

  it("ops that are no protobuf message", () => {
    const bytes = new Uint8Array([0xff, 0xff, 0xff]);
    expect(refused([{ bytes, digest: digestOf(bytes), metadata }, source])).toContain("pb.Op");
  });

  it("processes without arguments, root or directory", () => {
    const exec = (value: object): string => refusedOp({ op: { $case: "exec", value } });
    expect(exec({})).toContain("no process");
    expect(exec({ meta: { cwd: "/" }, mounts: [root] })).toContain("no arguments");
    expect(exec({ meta: { args: ["x"], cwd: "tmp" }, mounts: [root] })).toContain("not absolute");
    expect(exec({ meta, mounts: [] })).toContain("one root mount");
    expect(exec({ meta, mounts: [root, root] })).toContain("one root mount");
  });

  it("numbers that mean nothing", () => {
    const exec = (value: object): string =>
      refusedOp({ op: { $case: "exec", value: { meta, mounts: [root], ...value } } });
    expect(exec({ network: 9 })).toContain("unknown network mode 9");
    expect(exec({ security: 2 })).toContain("unknown security mode 2");
    expect(exec({ mounts: [{ ...root, mountType: 99 }] })).toContain("unknown mount type 99");
    expect(exec({ mounts: [{ ...root, input: 7 }] })).toContain("input 7 does not exist");
    expect(exec({ mounts: [{ ...root, output: 3 }] })).toContain("not numbered in a row");
    expect(exec({ mounts: [root, { dest: "/c", input: -1, output: -1, mountType: 3 }] })).toContain(
      "no id",
    );
  });

  it("file actions that read from later ones, or have impossible modes", () => {
    const file = (...actions: object[]): string =>
      refusedOp({ op: { $case: "file", value: { actions } } });
    const mkdir = (mode: number) => ({ $case: "mkdir", value: { path: "/x", mode } });
    expect(file()).toContain("no actions");
    expect(file({ input: 5, output: 0, action: mkdir(1) })).toContain("does not exist yet");
    expect(file({ input: 0, output: 0, action: mkdir(0o10000) })).toContain("out of range");
    expect(file({ input: 0, output: 0 })).toContain("not known");
    expect(file({ input: 0, output: -1, action: mkdir(1) })).toContain("not numbered");
  });

  it("more bytes than anybody needs", () => {
    const huge = { length: MAX_DEFINITION_BYTES + 1 } as Uint8Array;
    expect(() => decodeDefinition(huge)).toThrow("more than");
  });
});

it("whatever bytes come, reading ends with a graph or a named error", () => {
  const definition = image("docker.io/library/x:1")
    .run(["true"], { ssh: [{ id: "a", target: "/s" }] })
    .marshal(options);
  const changes = fc.array(fc.tuple(fc.nat(200), fc.integer({ min: 0, max: 255 })), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(fc.nat(2), changes, (index, spots) => {
      const ops = definition.ops.map((one, at) => {
        if (at !== index) return one;
        const bytes = Uint8Array.from(one.bytes);
        for (const [spot, value] of spots) bytes[spot % bytes.length] = value;
        return { ...one, bytes, digest: digestOf(bytes) as Digest };
      });
      try {
        readDefinition({ ops });
      } catch (error) {
        if (!isKilnError(error, "DEFINITION_INVALID")) throw error;
      }
    }),
    { numRuns: 500 },
  );
});
