// --explain and --expect-cached: one text for each reason, the same as JSON, and who may write to standard output.
import { describe, expect, it } from "vitest";
import type { BuildEvent, Explanation, MissReason } from "../../../src/api/index.ts";
import { digestOf } from "../../../src/base/index.ts";
import { runKiln, type Stage } from "./world.ts";

const files = { "app/Dockerfile": "FROM scratch\n" };
const at = new Date(Date.UTC(2026, 0, 2));
const root = { uid: 0, gid: 0 };
const base = "docker.io/library/busybox:latest";

function explained(...reasons: MissReason[]): Explanation {
  return { step: digestOf("s"), name: "[build 2/3] RUN make", reasons, comparedWith: at };
}

const told = (...explanations: Explanation[]): readonly BuildEvent[] =>
  explanations.map((explanation) => ({
    type: "explanation",
    step: explanation.step,
    explanation,
    at,
  }));

const explain = async (flag: string, stage: Stage) =>
  await runKiln(["build", "--progress=none", flag, "app"], { files, ...stage });

const texts: [string, MissReason, string[]][] = [
  ["new", { kind: "new" }, ["nothing is known of this step from an earlier build"]],
  [
    "no-cache",
    { kind: "no-cache" },
    ["it was to run without the cache (--no-cache, --no-cache-filter)"],
  ],
  [
    "pruned",
    { kind: "pruned" },
    ["it ran before in the same way, but its result has been removed from the cache"],
  ],
  ["failed", { kind: "failed" }, ["it ran before in the same way, but did not succeed"]],
  [
    "command",
    { kind: "definition", field: "command", old: "make", new: "make\nmake check" },
    ["its command changed:", "  old: make", "  new: make⏎make check"],
  ],
  ["added", { kind: "definition", field: "variable A", new: "1" }, ["its variable A is new: 1"]],
  ["gone", { kind: "definition", field: "variable A", old: "1" }, ["its variable A is gone: 1"]],
  ["hidden", { kind: "definition", field: "variable TOKEN" }, ["its variable TOKEN changed"]],
  [
    "base digest",
    { kind: "image", old: `${base}@${digestOf("a")}`, new: `${base}@${digestOf("b")}` },
    [
      `base image ${base} changed: ${digestOf("a").slice(0, 19)} → ${digestOf("b").slice(0, 19)}`,
    ],
  ],
  ["base image", { kind: "image", old: "a:1", new: "b:2" }, ["base image changed: a:1 → b:2"]],
  [
    "source",
    { kind: "source", old: "git://x", new: "git://x" },
    ["git://x has other contents than before"],
  ],
  [
    "files",
    {
      kind: "files",
      from: "context",
      changes: [
        {
          path: "a",
          old: { type: "file", mode: "644", ...root, content: "11" },
          new: { type: "file", mode: "755", uid: 5, gid: 6, content: "22" },
        },
        { path: "b\u001b[2J", new: { type: "file", mode: "644", ...root, content: "33" } },
        { path: "c", old: { type: "directory", mode: "755", ...root } },
        {
          path: "d",
          old: { type: "file", mode: "644", ...root, content: "44" },
          new: { type: "symlink", ...root, content: "a" },
        },
      ],
    },
    [
      "files of context changed:",
      "  a: mode 644 → 755, owner 0:0 → 5:6, content 11 → 22",
      "  b was added (33)",
      "  c was removed",
      "  d: file → symlink, mode 644 → -, target 44 → a",
    ],
  ],
  [
    "unknown files",
    { kind: "files", from: "[a 1/1] RUN x" },
    [
      "files of [a 1/1] RUN x changed (which ones, has been forgotten)",
    ],
  ],
  [
    "step",
    { kind: "step", step: digestOf("x"), name: "[build 1/3] COPY . ." },
    ["an earlier step ran: [build 1/3] COPY . ."],
  ],
];

describe("--explain", () => {
  it.each(texts)("tells %s", async (_, reason, lines) => {
    const { stderr, stdout, exitCode } = await explain("--explain", {
      events: told(explained(reason)),
    });
    expect(stderr).toBe(
      [
        "",
        "Why steps ran, compared with the build of 2026-01-02T00:00:00.000Z:",
        "[build 2/3] RUN make",
        ...lines.map((line) => `    ${line}`),
        "",
      ].join("\n"),
    );
    expect([stdout, exitCode]).toEqual(["", 0]);
  });

  it("counts files that it does not list", async () => {
    const changes = Array.from({ length: 12 }, (_, i) => ({
      path: `f${i}`,
      new: { type: "file", ...root },
    }));
    const { stderr } = await explain("--explain=text", {
      events: told(explained({ kind: "files", from: "context", changes, more: 5 })),
    });
    expect(stderr).toContain("f9 was added\n      … and 7 more\n");
    const many = explained({ kind: "files", from: "c", changes, more: 99_990, compared: 200_000 });
    expect((await explain("--explain=text", { events: told(many) })).stderr).toContain(
      "      … and 99,992 more\n      (only its first 200,000 are compared)\n",
    );
  });

  it("names the platform where there are several", async () => {
    const events = told(
      { ...explained({ kind: "new" }), platform: "linux/amd64" },
      { ...explained({ kind: "new" }), platform: "linux/arm64" },
    );
    const { stderr } = await explain("--explain", { events });
    expect(stderr).toContain("[build 2/3] RUN make (linux/arm64)\n");
  });

  it("says when all was cached, and asks nothing of the builder without the flag", async () => {
    const all = await explain("--explain", {});
    expect(all.stderr).toBe("\nEvery step was cached.\n");
    expect(all.requests[0]).toMatchObject({ explain: true });
    expect((await runKiln(["build", "app"], { files })).requests[0]).not.toHaveProperty("explain");
  });

  it("is JSON on standard output", async () => {
    const one = explained({ kind: "definition", field: "command", old: "a", new: "b" });
    const { stdout, stderr } = await explain("--explain=json", { events: told(one) });
    expect(JSON.parse(stdout)).toEqual({
      steps: [{ ...one, comparedWith: "2026-01-02T00:00:00.000Z" }],
    });
    expect(stderr).toBe("");
  });

  it.each([
    [["--explain=yaml"], "invalid value \"yaml\" for --explain"],
    [["--explain=json", "-o", "-"], "writes to standard output, and so does another flag"],
    [["--explain=json", "-q"], "writes to standard output, and so does another flag"],
  ])("%j is refused", async (flags, words) => {
    const { exitCode, stderr } = await runKiln(["build", ...flags, "app"], { files });
    expect([exitCode, stderr.includes(words)], stderr).toEqual([1, true]);
  });
});

it("--expect-cached and --keep-going are asked of the builder", async () => {
  const { requests } = await runKiln(["build", "--expect-cached", "--keep-going", "app"], { files });
  expect(requests[0]).toMatchObject({ expectCached: true, keepGoing: true });
});

it.each([
  [["--jobs=0"], {}, 'invalid value "0" for --jobs'],
  [["--jobs=x"], {}, "--jobs"],
  [[], { KILN_JOBS: "many" }, 'invalid value "many" for KILN_JOBS'],
])("%j with %j is no limit for steps", async (flags, env, words) => {
  const { exitCode, stderr } = await runKiln(["build", ...flags, "app"], { files, env });
  expect([exitCode, stderr.includes(words)], stderr).toEqual([1, true]);
});
