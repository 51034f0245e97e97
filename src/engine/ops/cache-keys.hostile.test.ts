// Keys of steps: whatever a definition changes about a step changes its key, so no step gets another's result.
import { expect, it } from "vitest";
import { uncancelled } from "../../base/index.ts";
import type { ExecOp, FileOp } from "../../formats/llb/index.ts";
import { createExecOp, type ExecParts } from "./exec-op.ts";
import { createFileOp } from "./file-op.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const lent = { id: "s", uid: 1, gid: 2, mode: 0o400, optional: false };

const exec: ExecOp = {
  kind: "exec",
  args: ["/bin/sh", "-c", "true"],
  env: ["A=1", "B=2"],
  cwd: "/work",
  user: "app",
  hostname: "box",
  cgroupParent: "/group",
  extraHosts: [{ host: "db", ip: "10.0.0.1" }],
  ulimits: [{ name: "nofile", soft: 1, hard: 2 }],
  network: "sandbox",
  security: "sandbox",
  mounts: [
    {
      type: "bind",
      input: 0,
      selector: "",
      target: "/",
      output: 0,
      readonly: false,
      contentCache: "default",
    },
    {
      type: "cache",
      selector: "/sub",
      target: "/cache",
      readonly: true,
      cache: { id: "c", sharing: "shared" },
      contentCache: "on",
    },
    {
      type: "tmpfs",
      selector: "",
      target: "/tmp",
      readonly: false,
      tmpfsSize: 7,
      contentCache: "default",
    },
    {
      type: "secret",
      selector: "",
      target: "/secret",
      readonly: true,
      secret: lent,
      contentCache: "default",
    },
    {
      type: "ssh",
      selector: "",
      target: "/ssh",
      readonly: true,
      ssh: lent,
      contentCache: "default",
    },
  ],
  secretEnv: [{ id: "s", name: "S", optional: false }],
  devices: [{ name: "gpu", optional: false }],
  removeMountStubsRecursive: false,
  validExitCodes: [0, 3],
  outputs: 1,
};

const file: FileOp = {
  kind: "file",
  actions: [
    {
      base: { from: "input", index: 0 },
      source: { from: "input", index: 1 },
      output: undefined,
      action: {
        kind: "copy",
        src: "/a",
        dest: "/b",
        mode: 0o644,
        modeStr: "u+x",
        owner: { user: { id: 1 }, group: { name: "g", input: 0 } },
        timestamp: 5,
        followSymlink: true,
        dirCopyContents: true,
        createDestPath: true,
        allowWildcard: true,
        allowEmptyWildcard: true,
        attemptUnpack: true,
        alwaysReplaceExistingDestPaths: true,
        includePatterns: ["i"],
        excludePatterns: ["e"],
        requiredPaths: ["r"],
      },
    },
    {
      base: { from: "action", index: 0 },
      output: 0,
      action: {
        kind: "mkfile",
        path: "/f",
        mode: 0o600,
        data: new Uint8Array([1, 2]),
        timestamp: 6,
      },
    },
  ],
} as unknown as FileOp;

/** Every value inside of `value` changed by itself: another text, the other truth, one more, a list without its last. */
function* changes(value: unknown, path = ""): Generator<readonly [string, unknown]> {
  if (typeof value === "string") yield [path, `${value}x`];
  else if (typeof value === "number") yield [path, value + 1];
  else if (typeof value === "boolean") yield [path, !value];
  else if (value instanceof Uint8Array) yield [path, value.subarray(1)];
  else if (Array.isArray(value)) {
    yield [`${path} without its last`, value.slice(0, -1)];
    for (const [index, member] of value.entries())
      for (const [at, changed] of changes(member, `${path}[${index}]`))
        yield [at, value.with(index, changed)];
  } else if (typeof value === "object" && value !== null) {
    for (const [name, member] of Object.entries(value))
      for (const [at, changed] of changes(member, `${path}.${name}`))
        yield [at, { ...value, [name]: changed }];
  }
}

const noParts = {} as ExecParts;
const keyOfExec = async (op: ExecOp) =>
  (await createExecOp(op, amd64, 1, noParts).cacheMap(uncancelled as never)).digest;
const keyOfFile = async (op: FileOp) =>
  (await createFileOp(op, 2, {} as never).cacheMap(uncancelled as never)).digest;

it.each([...changes(exec)].filter(([at]) => at !== ".kind"))("RUN: %s", async (_at, op) => {
  expect(await keyOfExec(op as ExecOp)).not.toBe(await keyOfExec(exec));
});

it.each([...changes(file)].filter(([at]) => at !== ".kind"))(
  "COPY and the like: %s",
  async (_at, op) => {
    expect(await keyOfFile(op as FileOp)).not.toBe(await keyOfFile(file));
  },
);

it("RUN for another processor", async () => {
  const arm64 = { os: "linux", architecture: "arm64" };
  const other = await createExecOp(exec, arm64, 1, noParts).cacheMap(uncancelled as never);
  expect(other.digest).not.toBe(await keyOfExec(exec));
});
