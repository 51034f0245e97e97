// Keys of steps: whatever a definition changes about a step changes its key, so no step gets another's result.
import { expect, it } from "vitest";
import { execIdentity, fileIdentity } from "../../formats/llb/index.ts";
import { pb } from "../../formats/proto/index.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const lent = { ID: "s", uid: 1, gid: 2, mode: 0o400, optional: false };
const mount = {
  input: -1,
  selector: "",
  output: -1,
  readonly: true,
  TmpfsOpt: undefined,
  cacheOpt: undefined,
  secretOpt: undefined,
  SSHOpt: undefined,
  resultID: "",
  contentCache: pb.MountContentCache.DEFAULT,
};

const exec: pb.ExecOp = {
  meta: {
    args: ["/bin/sh", "-c", "true"],
    env: ["A=1", "B=2"],
    cwd: "/work",
    user: "app",
    proxyEnv: undefined,
    extraHosts: [{ Host: "db", IP: "10.0.0.1" }],
    hostname: "box",
    ulimit: [{ Name: "nofile", Soft: 1, Hard: 2 }],
    cgroupParent: "/group",
    removeMountStubsRecursive: false,
    validExitCodes: [0, 3],
  },
  mounts: [
    { ...mount, input: 0, output: 0, readonly: false, dest: "/", mountType: pb.MountType.BIND },
    {
      ...mount,
      dest: "/cache",
      mountType: pb.MountType.CACHE,
      cacheOpt: { ID: "/cache", sharing: pb.CacheSharingOpt.SHARED },
    },
    { ...mount, dest: "/tmp", mountType: pb.MountType.TMPFS, TmpfsOpt: { size: 7 } },
    { ...mount, dest: "/secret", mountType: pb.MountType.SECRET, secretOpt: lent },
    { ...mount, dest: "/ssh", mountType: pb.MountType.SSH, SSHOpt: lent },
  ],
  network: pb.NetMode.UNSET,
  security: pb.SecurityMode.SANDBOX,
  secretenv: [{ ID: "s", name: "S", optional: false }],
  cdiDevices: [{ name: "gpu", optional: false }],
};

const file: pb.FileOp = {
  actions: [
    {
      input: 0,
      secondaryInput: 1,
      output: -1,
      action: {
        $case: "copy",
        value: {
          src: "/a",
          dest: "/b",
          owner: {
            user: { user: { $case: "byID", value: 1 } },
            group: { user: { $case: "byName", value: { name: "g", input: 0 } } },
          },
          mode: 0o644,
          followSymlink: true,
          dirCopyContents: true,
          attemptUnpackDockerCompatibility: true,
          createDestPath: true,
          allowWildcard: true,
          allowEmptyWildcard: true,
          timestamp: "5",
          includePatterns: ["i"],
          excludePatterns: ["e"],
          alwaysReplaceExistingDestPaths: true,
          modeStr: "u+x",
          requiredPaths: ["r"],
        },
      },
    },
    {
      input: 2,
      secondaryInput: -1,
      output: 0,
      action: {
        $case: "mkfile",
        value: {
          path: "/f",
          mode: 0o600,
          data: new Uint8Array([1, 2]),
          owner: undefined,
          timestamp: "-6",
        },
      },
    },
  ],
};

/** Every value inside of `value` changed by itself: another text, the other truth, one more, a list without its last. */
function* changes(value: unknown, path = ""): Generator<readonly [string, unknown]> {
  if (typeof value === "string") yield [path, /^-?\d+$/.test(value) ? `${value}1` : `${value}x`];
  else if (typeof value === "number") yield [path, value + 1];
  else if (typeof value === "boolean") yield [path, !value];
  else if (value instanceof Uint8Array) yield [path, value.map((byte) => byte + 1)];
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

const encode = (op: pb.Op["op"]) =>
  pb.Op.encode({ inputs: [], platform: undefined, constraints: undefined, op }).finish();
const keyOfExec = (value: pb.ExecOp) => execIdentity(encode({ $case: "exec", value }), amd64);
const keyOfFile = (value: pb.FileOp) => {
  const { text, selectors } = fileIdentity(encode({ $case: "file", value }), 2);
  return JSON.stringify([text, [...selectors]]);
};

/** As in BuildKit: a host's address, and what of its input a mount shows, which its content tells. */
const withoutEffect = /\.IP$|\.selector$|\$case$/;

it.each([...changes(exec)].filter(([at]) => !withoutEffect.test(at)))("RUN: %s", (_at, op) => {
  expect(keyOfExec(op as pb.ExecOp)).not.toBe(keyOfExec(exec));
});

it.each([...changes(file)].filter(([at]) => !withoutEffect.test(at)))(
  "COPY and the like: %s",
  (_at, op) => {
    expect(keyOfFile(op as pb.FileOp)).not.toBe(keyOfFile(file));
  },
);

it("RUN for another processor", () => {
  const op = encode({ $case: "exec", value: exec });
  const arm64 = { os: "linux", architecture: "arm64" };
  expect(execIdentity(op, arm64)).not.toBe(execIdentity(op, amd64));
});

it("a named cache mount may change its name, as in BuildKit: what it holds is no input", () => {
  const named = (ID: string): pb.ExecOp => ({
    ...exec,
    mounts: exec.mounts.map((one) =>
      one.cacheOpt ? { ...one, cacheOpt: { ID, sharing: pb.CacheSharingOpt.LOCKED } } : one,
    ),
  });
  expect(keyOfExec(named("one"))).toBe(keyOfExec(named("two")));
});

it("a RUN without mounts has the key that BuildKit gives it", () => {
  const op: pb.ExecOp = {
    ...pb.ExecOp.decode(new Uint8Array()),
    meta: { ...pb.Meta.decode(new Uint8Array()), args: ["/bin/sh", "-c", "a && b"], cwd: "/" },
    mounts: [{ ...mount, input: 0, output: 0, readonly: false, dest: "/", mountType: 0 }],
  };
  expect(keyOfExec(op)).toBe(
    '{"Type":"buildkit.exec.v0","Exec":{"meta":{"args":["/bin/sh","-c","a \\u0026\\u0026 b"],"cwd":"/"}},"OS":"linux","Arch":"amd64"}',
  );
});
