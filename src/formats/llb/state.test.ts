// What describing file systems promises: nothing changes, equal things are equal ops, inputs stand before users.
import { describe, expect, it } from "vitest";
import {
  deferred,
  diff,
  git,
  http,
  image,
  type LlbGraph,
  local,
  merge,
  readDefinition,
  type State,
  scratch,
} from "./index.ts";

const options = { platform: { os: "linux", architecture: "arm64" }, localUniqueId: "one" };
const busybox = image("docker.io/library/busybox:latest");

function graph(state: State): LlbGraph {
  return readDefinition(state.marshal(options));
}

function kinds(state: State): readonly string[] {
  return graph(state).vertices.map(({ op }) => op.kind);
}

describe("a state", () => {
  it("is not changed by what is made of it", () => {
    const before = busybox.env("A", "1");
    before.env("A", "2").dir("/x").user("me").run(["true"]);
    expect([...before.variables.list(), before.workingDir, before.userName]).toEqual([
      "A=1",
      "/",
      "",
    ]);
  });

  it("moves a variable that is set again to the end", () => {
    const state = busybox.env("A", "1").env("B", "2").env("A", "3");
    expect(state.variables.list()).toEqual(["B=2", "A=3"]);
    expect(state.variables.get("A")).toBe("3");
  });

  it("keeps variables of two branches apart", () => {
    const trunk = busybox.env("A", "1");
    const [left, right] = [trunk.env("B", "left"), trunk.env("B", "right")];
    expect(left.env("C", "1").variables.list()).toEqual(["A=1", "B=left", "C=1"]);
    expect(right.variables.list()).toEqual(["A=1", "B=right"]);
    expect(trunk.variables.get("B")).toBeUndefined();
  });

  it("takes relative directories from the one before", () => {
    expect(busybox.dir("/a").dir("b").dir("../c").workingDir).toBe("/a/c");
  });
});

describe("a definition", () => {
  it("of the empty file system has no ops", () => {
    expect(scratch().marshal(options).ops).toEqual([]);
    expect(graph(scratch()).result).toBeUndefined();
  });

  it("has inputs before users and equal ops once", () => {
    const built = busybox.run(["make"]);
    const again = image("docker.io/library/busybox:latest").run(["make"]);
    const both = scratch().copy(built, "/a", "/").copy(again, "/b", "/");
    expect(kinds(both)).toEqual(["source", "exec", "file", "file"]);
  });

  it("names platforms only where they matter", () => {
    const [from, run, copy] = graph(scratch().copy(busybox.run(["true"]), "/", "/")).vertices;
    expect([from?.platform, run?.platform, copy?.platform]).toEqual([
      options.platform,
      options.platform,
      undefined,
    ]);
  });

  it("takes the state's platform before its own", () => {
    const amd64 = { os: "linux", architecture: "amd64" };
    const { vertices } = graph(
      image("docker.io/library/busybox:latest", { platform: amd64 }).run(["true"]),
    );
    expect(vertices.map(({ platform }) => platform)).toEqual([amd64, amd64]);
  });

  it("joins what is said of equal ops", () => {
    const one = busybox.run(["true"], { description: { a: "1" }, name: "first" });
    const two = busybox.run(["true"], { description: { b: "2" }, ignoreCache: true });
    const { ops } = merge([one, scratch().copy(two, "/", "/")]).marshal(options);
    expect(ops.map(({ metadata }) => metadata)).toContainEqual({
      description: { a: "1", b: "2", "llb.customname": "first" },
      caps: ["exec.meta.base", "exec.meta.setsdefaultpath", "exec.mount.bind"],
      ignoreCache: true,
    });
  });

  it("of a chain that is longer than the stack is deep can be made and read", () => {
    let state = busybox;
    for (let step = 0; step < 12_000; step++) state = state.run(["true", String(step)]);
    expect(graph(state).vertices.length).toBe(12_001);
  });
});

describe("a process", () => {
  it("has its mounts by target, its root among them, and outputs in that order", () => {
    const state = busybox.run(["true"], {
      mounts: [
        { target: "/src", source: local("context").output!, readonly: true },
        { target: "/cache", cache: { id: "c", sharing: "locked" } },
        { target: "/bin", tmpfs: { size: 10 } },
      ],
    });
    const exec = graph(state).vertices.at(-1)?.op;
    if (exec?.kind !== "exec") throw new Error("not an exec op");
    expect(exec.mounts.map(({ target, type, output }) => [target, type, output])).toEqual([
      ["/", "bind", 0],
      ["/bin", "tmpfs", undefined],
      ["/cache", "cache", undefined],
      ["/src", "bind", undefined],
    ]);
    expect(exec.outputs).toBe(1);
  });

  it("is told where its agent's socket is", () => {
    const ssh = [{ id: "default", target: "/run/agent" }];
    const exec = graph(busybox.run(["true"], { ssh })).vertices.at(-1)?.op;
    expect(exec).toMatchObject({ env: ["SSH_AUTH_SOCK=/run/agent"] });
  });
});

describe("sources", () => {
  it("of one build are unlike those of every other", () => {
    const digest = (id: string) =>
      local("context").marshal({ ...options, localUniqueId: id }).ops[0]?.digest;
    expect(digest("one")).not.toBe(digest("two"));
    expect(digest("one")).toBe(digest("one"));
  });

  it("say what they need", () => {
    const file = http("https://example.com/x", {
      filename: "x",
      checksum: "sha256:00",
      mode: 0o600,
      uid: 1,
    });
    const repo = git("github.com/o/r.git#main", {
      fullUrl: "https://github.com/o/r.git",
      keepGitDir: true,
    });
    expect(graph(merge([file, repo])).vertices.map(({ op }) => op)).toEqual([
      {
        kind: "source",
        identifier: "https://example.com/x",
        attrs: {
          "http.checksum": "sha256:00",
          "http.filename": "x",
          "http.perm": "0600",
          "http.uid": "1",
        },
      },
      {
        kind: "source",
        identifier: "git://github.com/o/r.git#main",
        attrs: {
          "git.authheadersecret": "GIT_AUTH_HEADER",
          "git.authtokensecret": "GIT_AUTH_TOKEN",
          "git.fullurl": "https://github.com/o/r.git",
          "git.keepgitdir": "true",
        },
      },
      { kind: "merge", inputs: [0, 1] },
    ]);
  });

  it("may be decided only when they are marshalled", () => {
    const paths: string[] = [];
    const state = scratch().copy(
      deferred(() => local("context", { followPaths: paths })),
      "/a",
      "/",
    );
    paths.push("a");
    expect(graph(state).vertices[0]?.op).toMatchObject({ attrs: { "local.followpaths": '["a"]' } });
  });
});

describe("merge and diff", () => {
  it("of nothing and one file system are that file system", () => {
    expect(merge([scratch(), busybox]).output).toBe(busybox.output);
    expect(merge([scratch(), scratch()]).output).toBeUndefined();
    expect(diff(scratch(), busybox).output).toBe(busybox.output);
  });

  it("of several are ops of their own", () => {
    const changed = busybox.run(["true"]);
    expect(kinds(diff(busybox, changed))).toEqual(["source", "exec", "diff"]);
    expect(kinds(merge([busybox, changed]))).toEqual(["source", "exec", "merge"]);
  });
});

describe("file steps", () => {
  it("of one op build on one another", () => {
    const state = busybox.dir("/w").file([
      { kind: "mkdir", path: "d", mode: 0o755, makeParents: true },
      {
        kind: "mkfile",
        path: "/f",
        mode: 0o644,
        data: new Uint8Array([1]),
        owner: { user: "app", group: 7 },
      },
      { kind: "symlink", oldPath: "f", newPath: "/l" },
      { kind: "rm", path: "d/", allowNotFound: true },
    ]);
    const op = graph(state).vertices.at(-1)?.op;
    if (op?.kind !== "file") throw new Error("not a file op");
    expect(op.actions.map(({ base, output, action }) => [base, output, action.kind])).toEqual([
      [{ from: "input", index: 0 }, undefined, "mkdir"],
      [{ from: "action", index: 0 }, undefined, "mkfile"],
      [{ from: "action", index: 1 }, undefined, "symlink"],
      [{ from: "action", index: 2 }, 0, "rm"],
    ]);
    expect(op.actions[0]?.action).toMatchObject({ path: "/w/d" });
    expect(op.actions[1]?.action).toMatchObject({
      owner: { user: { name: "app", input: 0 }, group: { id: 7 } },
    });
    expect(op.actions[3]?.action).toMatchObject({ path: "/w/d" });
  });

  it("keep the final slash that says directory", () => {
    const copied = (target: string): unknown => {
      const op = graph(busybox.dir("/w").copy(scratch(), "/x", target)).vertices.at(-1)?.op;
      return op?.kind === "file" && op.actions[0]?.action.kind === "copy"
        ? op.actions[0].action.dest
        : undefined;
    };
    expect(["d/", "d", "d/.", "/", "/.", "/a/../b/"].map(copied)).toEqual([
      "/w/d/",
      "/w/d",
      "/w/d/.",
      "/",
      "/.",
      "/b/",
    ]);
  });
});
