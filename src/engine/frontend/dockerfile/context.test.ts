// Contexts as the frontend opens them: what is looked at, and what becomes of it.
import { describe, expect, it } from "vitest";
import { tarOf } from "../../../../test/kit/tar.ts";
import type { BuildBridge, ResultRef } from "../../../api/index.ts";
import { uncancelled } from "../../../base/index.ts";
import {
  type FileOp,
  type LlbVertex,
  readDefinition,
  type State,
} from "../../../formats/llb/index.ts";
import { parseDockerfileAttrs } from "./attributes.ts";
import { openContext } from "./context.ts";

const native = { os: "linux", architecture: "amd64" };

/** Opens the context of these attributes, where every URL has `data`. */
async function open(attrs: Readonly<Record<string, string>>, data: string | Uint8Array = "") {
  const head = typeof data === "string" ? new TextEncoder().encode(data) : data;
  let solved = 0;
  const ref: Partial<ResultRef> = {
    readStart: async (path, length) => (path === "context" ? head.subarray(0, length) : undefined),
  };
  const bridge = {
    inputs: {},
    async solve() {
      solved++;
      return ref as ResultRef;
    },
  } as Partial<BuildBridge> as BuildBridge;
  const { context } = parseDockerfileAttrs(attrs, native);
  const opened = await openContext(context, { bridge, native, id: "id" }, uncancelled);
  return { ...opened, solved };
}

/** Identifiers and file actions of a state, inputs first. */
function shape(state: State | undefined): readonly string[] {
  if (!state) return [];
  const { vertices } = readDefinition(state.marshal({ platform: native, localUniqueId: "id" }));
  return vertices.map(({ op }: LlbVertex) =>
    op.kind === "source" ? op.identifier : actions(op as FileOp),
  );
}

function actions(op: FileOp): string {
  return op.actions
    .map(({ action }) => {
      if (action.kind !== "copy") return action.kind;
      const { src, dest, attemptUnpack, dirCopyContents } = action;
      return `copy ${src} ${dest}${attemptUnpack ? " unpacked" : ""}${dirCopyContents ? " contents" : ""}`;
    })
    .join(", ");
}

const url = "https://example.com/x";

describe("a context", () => {
  it("is a lent directory where nothing else is said", async () => {
    expect(await open({})).toEqual({
      state: undefined,
      dockerfile: undefined,
      solved: 0,
    });
  });

  it("of a repository is not looked at before it is used", async () => {
    const { state, dockerfile, solved } = await open({ context: "https://x.org/r.git#main" });
    expect(shape(state)).toEqual(["git://x.org/r.git#main"]);
    expect(dockerfile).toBe(state);
    expect(solved).toBe(0);
  });

  it.each([
    ["a tar archive", tarOf([{ path: "Dockerfile", data: "FROM scratch" }])],
    ["gzip", Uint8Array.of(0x1f, 0x8b, 8, 0)],
    ["bzip2", Uint8Array.of(0x42, 0x5a, 0x68, 0x39)],
    ["xz", Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)],
  ])("behind a URL that is %s is unpacked", async (_name, data) => {
    const { state, filename } = await open({ context: url }, data);
    expect(shape(state)).toEqual([url, "copy /context / unpacked"]);
    expect(filename).toBeUndefined();
  });

  it.each(["FROM scratch\n", ""])("behind a URL that is %j is the Dockerfile", async (data) => {
    const { state, dockerfile, filename } = await open({ context: url }, data);
    expect(shape(state)).toEqual([url]);
    expect([dockerfile, filename]).toEqual([state, "context"]);
  });

  it("may be one directory of it, while the Dockerfile may be anywhere in it", async () => {
    const archive = tarOf([{ path: "a" }]);
    const { state, dockerfile } = await open({ context: url, contextsubdir: "sub" }, archive);
    expect(shape(state)).toEqual([url, "copy /context / unpacked", "copy /sub / contents"]);
    expect(shape(dockerfile)).toEqual([url, "copy /context / unpacked"]);
  });

  it("goes by the key that the caller gives it", async () => {
    expect(shape((await open({ contextkey: "mine", mine: url })).state)).toEqual([url]);
  });

  it.each(["<!DOCTYPE html><html>", "\n <html lang=en>"])(
    "that is a web page is refused",
    async (data) => {
      await expect(open({ context: "https://github.com/o/r/" }, data)).rejects.toMatchObject({
        code: "DOCKERFILE_INVALID",
        hint: "For a git repository, write https://github.com/o/r.git.",
      });
    },
  );
});
