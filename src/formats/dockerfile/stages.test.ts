// Typed instructions: stages, every instruction's fields, and mistakes that do not hide one another.
import { describe, expect, it } from "vitest";
import { createLinter, type Instruction, parseLintOptions, readMounts } from "./index.ts";
import { parseText } from "./parse.ts";
import { readInstructions } from "./stages.ts";

function read(text: string) {
  const linter = createLinter({ skip: [], experimental: "all", error: false });
  return { ...readInstructions(parseText(text).value.instructions, linter), linter };
}

/** The instruction after `FROM a`. */
function instruction(text: string): Instruction {
  const { stages, problems } = read(`FROM a\n${text}\n`);
  expect(problems).toEqual([]);
  const found = stages[0]?.instructions[0];
  if (!found) throw new Error("no instruction");
  return found;
}

const identity = (word: string) => word;

function mounts(options: string) {
  const run = instruction(`RUN --mount=${options} x`);
  if (run.kind !== "run") throw new Error(run.kind);
  return readMounts(run, identity);
}

describe("stages", () => {
  it("begin with FROM, and ARGs before the first belong to none", () => {
    const { stages, metaArgs } = read(
      "ARG V=1\nFROM --platform=$P a:$V AS Build\nRUN x\nFROM build\n",
    );
    expect(metaArgs[0]?.args).toEqual([{ name: "V", value: "1", doc: "" }]);
    expect(stages).toMatchObject([
      { name: "build", base: "a:$V", platform: "$P", instructions: [{ kind: "run" }] },
      { name: "", base: "build", instructions: [] },
    ]);
  });

  it("take their description from the comment above", () => {
    const { stages } = read(
      "# build makes it\nFROM a AS build\n# V is the version\n# of it\nARG V\n",
    );
    expect(stages[0]?.doc).toBe("makes it");
    expect(stages[0]?.instructions[0]).toMatchObject({ args: [{ doc: "is the version" }] });
  });
});

describe("instructions", () => {
  it.each<[string, object]>([
    [
      "ADD --unpack=false --keep-git-dir --checksum=c a b /c",
      { sources: ["a", "b"], destination: "/c", unpack: false, keepGitDir: true, checksum: "c" },
    ],
    ["ADD a b", { link: false, exclude: [], chown: "" }],
    [
      "COPY --from=x --exclude=*.md --exclude=b --parents --link --chmod=755 a b",
      { from: "x", exclude: ["*.md", "b"], parents: true, link: true, chmod: "755" },
    ],
    [
      "COPY <<A <<-'B' /x\n\ta\nA\n\tb\nB",
      {
        inline: [
          { path: "A", data: "\ta\n", expand: true },
          { path: "B", data: "b\n", expand: false },
        ],
      },
    ],
    [
      "RUN --network=none --security=insecure --device=v.com/c=n,required a b",
      {
        command: ["a b"],
        shell: true,
        network: "none",
        security: "insecure",
        devices: [{ name: "v.com/c=n", required: true }],
      },
    ],
    ['CMD ["a", "b"]', { command: ["a", "b"], shell: false }],
    ["ENTRYPOINT", { command: [], shell: true }],
    [
      "HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=0 --retries=3 CMD a b",
      { test: ["CMD-SHELL", "a b"], interval: 90e9, timeout: 5e8, startPeriod: 0, retries: 3 },
    ],
    ["HEALTHCHECK NONE", { test: ["NONE"] }],
    ["EXPOSE 80 53/udp 443", { ports: ["443", "53/udp", "80"] }],
    [
      "ENV a=b c='d e'",
      {
        pairs: [
          { key: "a", value: "b", legacy: false },
          { key: "c", value: "'d e'", legacy: false },
        ],
      },
    ],
    ["LABEL a b c", { pairs: [{ key: "a", value: "b c", legacy: true }] }],
    ["VOLUME /a  /b", { paths: ["/a", "/b"] }],
    ['SHELL ["a"]', { shell: ["a"] }],
    ["USER a:b", { user: "a:b" }],
    ["STOPSIGNAL --x SIGTERM", { signal: "SIGTERM" }],
    ["onbuild  RUN <<E\na\nE", { expression: "RUN <<E\na\nE" }],
    ["MAINTAINER me", { author: "me" }],
  ])("%s", (text, fields) => {
    expect(instruction(text)).toMatchObject(fields);
  });
});

describe("mounts of RUN", () => {
  it.each<[string, object]>([
    ["target=/a", { type: "bind", target: "/a", readOnly: true }],
    ["type=bind,src=s,dst=/a,rw", { source: "s", readOnly: false }],
    [
      "type=cache,target=/c,id=i,sharing=LOCKED,mode=0700,uid=1,gid=2",
      { type: "cache", id: "i", sharing: "locked", mode: 0o700, uid: 1, gid: 2, readOnly: false },
    ],
    ["type=tmpfs,target=/t,size=1.5m", { type: "tmpfs", sizeLimit: 1_572_864 }],
    ["type=secret,id=i,required,env=E", { required: true, env: "E", readOnly: true }],
    ["type=ssh,required=false", { type: "ssh", required: false }],
    [`'type=cache,"target=/a,b"'`, { target: "/a,b" }],
    ["type=cache,target=/a,readonly=true", { readOnly: true }],
  ])("%s", (options, fields) => {
    expect(mounts(options)).toMatchObject([fields]);
  });

  it.each([
    ["type=bund,target=/a", "unsupported mount type"],
    ["type=cache,target=/a,size=1", "unexpected key 'size'"],
    ["type=bind,target=/a,required", "unexpected key 'required'"],
    ["type=cache,target=/a,mode=9", "invalid value 9 for mode"],
    ["type=cache,target=/a,uid=-1", "invalid value -1 for uid"],
    ["type=tmpfs,size=much", "invalid value for size"],
    ["type=cache,rw=maybe", "invalid value for rw"],
    ["type=secret,id=a,from=b", "should not have a from"],
    ["type=secret,id=a,src=b", "both source and id"],
    ["type=bind,sharing=shared", "invalid cache sharing"],
    ["type=cache,id", "must be a key=value pair"],
  ])("%s is refused", (options, message) => {
    expect(() => mounts(options)).toThrow(message);
  });
});

describe("mistakes", () => {
  it("do not hide one another, nor count as a missing FROM", () => {
    const { problems } = read(
      "FROM a b\nRUN --nope x\nCOPY --nope --chown a\nRUM y\nFROM ok\nUSER\n",
    );
    expect(problems.map(({ message, at }) => `${at[0]?.start}: ${message}`)).toEqual([
      "1: FROM requires either one or three arguments",
      "2: unknown flag: --nope",
      "3: unknown flag: --nope",
      "3: missing a value on flag: chown",
      expect.stringContaining("3: COPY requires at least two"),
      "4: unknown instruction: RUM",
      "6: USER requires exactly one argument",
    ]);
  });

  it("say once that FROM is missing", () => {
    expect(read("RUN a\nRUN b\n").problems).toHaveLength(1);
  });
});

describe("build checks", () => {
  it("are skipped by a comment above the instruction, for it alone", () => {
    const { linter } = read(
      "FROM a\n# check=skip=MaintainerDeprecated // still wanted\nMAINTAINER me\nMAINTAINER you\n",
    );
    expect(linter.warnings.map(({ at }) => at[0]?.start)).toEqual([4]);
  });

  it("do not take such a comment for a description", () => {
    const { linter, stages } = read("# x is it\n# check=skip=FromAsCasing\nFROM a as x\n");
    expect(linter.warnings).toEqual([]);
    expect(stages[0]?.doc).toBe("is it");
  });

  it("run as their options say", () => {
    expect(parseLintOptions("")).toEqual({ skip: [], experimental: [], error: false });
    expect(parseLintOptions(" skip=A, B ; error=true;experimental=all")).toEqual({
      skip: ["A", "B"],
      experimental: "all",
      error: true,
    });
    expect(parseLintOptions("skip=all // for now")).toMatchObject({ skip: "all" });
    for (const wrong of ["skip", "error=maybe", "other=1"])
      expect(parseLintOptions(wrong)).toEqual(expect.any(String));
  });

  it("that are experimental run only where they are asked for, whatever is skipped", () => {
    const rule = { name: "X", description: "", url: "", experimental: true, message: () => "" };
    const quiet = createLinter();
    quiet.warn(rule, undefined);
    const asked = createLinter({ skip: "all", experimental: ["X"], error: false });
    asked.warn(rule, undefined);
    expect([quiet.warnings.length, asked.warnings.length]).toEqual([0, 1]);
  });
});
