// Definitions without a frontend, as clients send them: nested builds and file actions that no Dockerfile has.
import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Builder, LentLayout, Session } from "../../src/api/index.ts";
import { bytesOf, digestOf, uncancelled } from "../../src/base/index.ts";
import { openEngine } from "../../src/engine/engine.ts";
import {
  type Definition,
  decodeDefinition,
  encodeDefinition,
  merge,
  type State,
  scratch,
} from "../../src/formats/llb/index.ts";
import { hostPlatform } from "../../src/formats/oci/index.ts";
import { pb } from "../../src/formats/proto/index.ts";
import { describeWith } from "../kit/needs.ts";

const native = hostPlatform(process.arch);
const marshal = (state: State) => state.marshal({ platform: native, localUniqueId: "id" });

/** The definition of a build op on the files of `state`. */
function nested(state: State, attrs: Readonly<Record<string, string>> = {}): Definition {
  const below = marshal(state);
  const result = pb.Op.decode(below.ops.at(-1)?.bytes ?? new Uint8Array()).inputs;
  const op = pb.Op.encode(
    pb.Op.create({
      inputs: result,
      op: {
        $case: "build",
        value: {
          builder: -1,
          inputs: new Map([["buildkit.llb.definition", { input: 0 }]]),
          def: undefined,
          attrs: new Map(Object.entries(attrs)),
        },
      },
    }),
  ).finish();
  const end = pb.Op.encode(pb.Op.create({ inputs: [{ digest: digestOf(op), index: 0 }] })).finish();
  const ops = [...below.ops.slice(0, -1).map(({ bytes }) => bytes), op, end];
  return decodeDefinition(pb.Definition.encode(pb.Definition.create({ def: ops })).finish());
}

/** The definition of one op, with the results of `inputs` before it. */
function over(inputs: readonly State[], op: NonNullable<pb.Op["op"]>, output = 0): Definition {
  const below = inputs.map(marshal);
  const last = pb.Op.encode(
    pb.Op.create({
      inputs: below.flatMap(
        ({ ops }) => pb.Op.decode(ops.at(-1)?.bytes ?? new Uint8Array()).inputs,
      ),
      op,
    }),
  ).finish();
  const end = pb.Op.create({ inputs: [{ digest: digestOf(last), index: output }] });
  const before = below.flatMap(({ ops }) => ops.slice(0, -1).map(({ bytes }) => bytes));
  const def = [...before, last, pb.Op.encode(end).finish()];
  return decodeDefinition(pb.Definition.encode(pb.Definition.create({ def })).finish());
}

/** A source of this identifier. */
const source = (identifier: string, attrs: Readonly<Record<string, string>> = {}): Definition =>
  over([], { $case: "source", value: { identifier, attrs: new Map(Object.entries(attrs)) } });

/** A file of this text or these bytes, and nothing else. */
const file = (path: string, data: string | Uint8Array): State =>
  scratch().file([
    {
      kind: "mkfile",
      path,
      mode: 0o644,
      data: typeof data === "string" ? new TextEncoder().encode(data) : data,
    },
  ]);

const lentText = "what the blob says";
const lentDigest = digestOf(lentText);
const layout: LentLayout = {
  place: "/the/layout",
  size: async (digest) => (digest === lentDigest ? lentText.length : undefined),
  read: () => bytesOf(lentText),
};

describeWith(["root", "runtime"], "a definition", () => {
  let directory: string;
  let engine: Builder;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "kiln-definitions-"));
    const root = join(directory, "root");
    engine = await openEngine({ root, hosts: {}, version: "test", now: () => new Date() });
  });
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Builds and unpacks; answers the directory. */
  async function build(definition: Definition): Promise<string> {
    const name = `out-${performance.now()}`;
    const target = join(directory, name);
    const session = {
      directory: () => undefined,
      layout: (name) => (name === "lent" ? layout : undefined),
      secret: async () => undefined,
      ssh: async () => undefined,
      credentials: async () => undefined,
      async receive(_target, tar) {
        const chunks: Uint8Array[] = [];
        for await (const chunk of tar) chunks.push(chunk);
        mkdirSync(target);
        execFileSync("tar", ["-x", "-C", target], { input: Buffer.concat(chunks) });
      },
    } as Partial<Session> as Session;
    const request = { ref: name, attrs: {}, definition, exporters: [{ type: "tar", attrs: {} }] };
    const running = engine.build(request, session, uncancelled);
    for await (const _ of running.events);
    await running.result;
    return target;
  }

  it("may be built by a step of another one", async () => {
    const inner = marshal(file("/inner", "built inside\n"));
    const target = await build(nested(file("/buildkit.llb.definition", encodeDefinition(inner))));
    expect(readdirSync(target)).toEqual(["inner"]);
    expect(readFileSync(join(target, "inner"), "utf8")).toBe("built inside\n");
  });

  it("may lie under another name, and behind a link inside its files", async () => {
    const inner = encodeDefinition(marshal(file("/other", "x")));
    const files = file("/real", inner).file([
      { kind: "symlink", oldPath: "/../../real", newPath: "/link" },
    ]);
    const target = await build(nested(files, { "llbbuild.filename": "link" }));
    expect(readdirSync(target)).toEqual(["other"]);
  });

  it("may nest further, and be laid over other files", async () => {
    const innermost = file("/deep", "deep");
    const middle = nested(file("/buildkit.llb.definition", encodeDefinition(marshal(innermost))));
    const target = await build(nested(file("/buildkit.llb.definition", encodeDefinition(middle))));
    expect(readdirSync(target)).toEqual(["deep"]);
  });

  it("is refused inside another where there is none, or none that can be read", async () => {
    await expect(build(nested(file("/elsewhere", "x")))).rejects.toThrow(/no definition at/);
    const broken = nested(file("/buildkit.llb.definition", "no protobuf"));
    await expect(build(broken)).rejects.toMatchObject({ code: "DEFINITION_INVALID" });
  });

  it("removes and links, and replaces what is of another kind only where it is told to", async () => {
    const base = scratch()
      .file([
        { kind: "mkdir", path: "/d/sub", mode: 0o755, makeParents: true },
        { kind: "mkfile", path: "/d/a.txt", mode: 0o600, data: new Uint8Array([65]) },
        { kind: "mkfile", path: "/d/b.txt", mode: 0o600, data: new Uint8Array([66]) },
        { kind: "mkfile", path: "/keep", mode: 0o600, data: new Uint8Array([67]) },
      ])
      .file([
        { kind: "rm", path: "/d/*.txt", allowWildcard: true },
        { kind: "rm", path: "/missing", allowNotFound: true },
        { kind: "symlink", oldPath: "keep", newPath: "/link" },
      ]);
    const target = await build(marshal(base));
    expect(readdirSync(target).sort()).toEqual(["d", "keep", "link"]);
    expect(readdirSync(join(target, "d"))).toEqual(["sub"]);
    expect(readlinkSync(join(target, "link"))).toBe("keep");

    const over = (alwaysReplaceExistingDestPaths: boolean) =>
      base.copy(file("/sub", "new"), "/", "/d/", {
        dirCopyContents: true,
        alwaysReplaceExistingDestPaths,
      });
    await expect(build(marshal(over(false)))).rejects.toThrow(/directory/);
    const replaced = await build(marshal(over(true)));
    expect(readFileSync(join(replaced, "d/sub"), "utf8")).toBe("new");
  });

  it("does not make the directories of a destination unless it is told to", async () => {
    const copy = (createDestPath: boolean) =>
      scratch().copy(file("/x", "1"), "/x", "/not/there/x", { createDestPath });
    await expect(build(marshal(copy(false)))).rejects.toThrow(/not/);
    expect(readdirSync(join(await build(marshal(copy(true))), "not/there"))).toEqual(["x"]);
  });

  it("lays the later of two files over the earlier", async () => {
    const target = await build(marshal(merge([file("/same", "1"), file("/same", "2")])));
    expect(readFileSync(join(target, "same"), "utf8")).toBe("2");
  });

  it("gives on what it was told to, once everything else is built", async () => {
    const pass = (outputs: readonly number[]) => ({
      $case: "passthrough" as const,
      value: { id: "checks", outputs: [...outputs] },
    });
    const two = [file("/a", "1"), file("/b", "2")];
    expect(readdirSync(await build(over(two, pass([1, 0]))))).toEqual(["b"]);
    expect(readdirSync(await build(over(two, pass([1, 0]), 1)))).toEqual(["a"]);
    const failing = scratch().copy(file("/x", "1"), "/none", "/");
    await expect(build(over([file("/a", "1"), failing], pass([0])))).rejects.toThrow(/none/);
    await expect(build(over(two, pass([2])))).rejects.toMatchObject({ code: "DEFINITION_INVALID" });
    await expect(build(over(two, pass([])))).rejects.toMatchObject({ code: "DEFINITION_INVALID" });
  });

  it("takes one blob of a lent layout as a file", async () => {
    const blob = `oci-layout+blob://example.com/any@${lentDigest}`;
    const hex = lentDigest.slice("sha256:".length);
    const plain = await build(source(blob, { "oci.store": "lent" }));
    expect(readFileSync(join(plain, hex), "utf8")).toBe(lentText);
    expect(statSync(join(plain, hex))).toMatchObject({ mode: 0o100600, mtimeMs: 0 });
    const named = { "oci.store": "lent", "http.filename": "../text", "http.perm": "0644" };
    const other = await build(source(blob, named));
    expect(readdirSync(other)).toEqual(["text"]);
    expect(statSync(join(other, "text")).mode).toBe(0o100644);
    await expect(build(source(blob))).rejects.toThrow(/requires store id/);
    const absent = `oci-layout+blob://example.com/any@${digestOf("absent")}`;
    const missing = build(source(absent, { "oci.store": "lent" }));
    await expect(missing).rejects.toMatchObject({ code: "IMAGE_NOT_FOUND" });
  });
});
