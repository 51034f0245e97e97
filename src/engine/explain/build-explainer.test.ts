// Why steps ran: one build after another, told as the solver tells them.
import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { memoryMetadata } from "../../../test/kit/memory-metadata.ts";
import type { MissReason } from "../../api/index.ts";
import { digestOf } from "../../base/index.ts";
import type { LlbVertex } from "../../formats/llb/index.ts";
import type { ContentListing, StepFact } from "../solver/index.ts";
import { BuildExplainer } from "./build-explainer.ts";
import { changedFiles } from "./differences.ts";
import { packListing, unpackListing } from "./listing-text.ts";
import { openStepHistory } from "./step-history.ts";

interface Step {
  readonly name: string;
  readonly command?: string;
  readonly env?: readonly string[];
  readonly image?: string;
  readonly on?: readonly (Step | { readonly files: Readonly<Record<string, string>> })[];
  readonly noCache?: boolean;
}

const amd64 = { os: "linux", architecture: "amd64" } as const;

/** A vertex of a made-up Dockerfile, with the least of an op that explaining looks at. */
function toVertex(step: Step): LlbVertex {
  const inputs = (step.on ?? []).map((one) => ({
    vertex: "files" in one ? contextVertex : toVertex(one),
    output: 0,
  }));
  const op = step.image
    ? { kind: "source", identifier: `docker-image://${step.image}`, attrs: {} }
    : {
        kind: "exec",
        args: ["/bin/sh", "-c", step.command ?? step.name],
        env: step.env ?? [],
        cwd: "/",
        user: "",
        hostname: "",
        network: "sandbox",
        security: "sandbox",
        extraHosts: [],
        ulimits: [],
        secretEnv: [],
        mounts: [],
      };
  return {
    digest: digestOf(JSON.stringify(step)),
    name: step.name,
    platform: amd64,
    inputs,
    op,
    metadata: {},
    encoded: new Uint8Array(),
    locations: [],
  } as unknown as LlbVertex;
}

const contextVertex = {
  digest: digestOf("context"),
  name: "[internal] load build context",
  inputs: [],
  op: { kind: "source", identifier: "local://context", attrs: {} },
} as unknown as LlbVertex;

/** Its key: what it is, on the keys of what it is built on. */
function keyOf(step: Step): string {
  const below = (step.on ?? []).map((one) => ("files" in one ? contentOf(one.files) : keyOf(one)));
  return digestOf(JSON.stringify([step.image, step.command ?? step.name, step.env, ...below]));
}

const listingOf = (files: Readonly<Record<string, string>>, isCut = false): ContentListing => ({
  paths: new Map(Object.entries(files)),
  isCut,
});

const contentOf = (files: Readonly<Record<string, string>>) =>
  `c${digestOf(JSON.stringify(files))}`;

function factOf(step: Step, stage: StepFact["stage"], fresh: boolean): StepFact {
  return {
    vertex: toVertex(step).digest,
    stage,
    ignoresCache: step.noCache ?? false,
    step: digestOf(JSON.stringify([step.command ?? step.name, step.env])),
    key: keyOf(step),
    inputs: (step.on ?? []).map((one) =>
      "files" in one
        ? {
            names: ["tree"],
            fresh: false,
            content: contentOf(one.files),
            listing: () => listingOf(one.files),
          }
        : { names: [keyOf(one)], fresh },
    ),
  };
}

/** Builds after builds on one history; each answers the reasons of steps that ran, by name. */
function createProject() {
  const history = openStepHistory(memoryMetadata());
  let time = 0;
  return (
    steps: readonly Step[],
    how: { ran?: readonly Step[]; failed?: Step; fresh?: boolean } = {},
  ): Record<string, readonly MissReason[]> => {
    const explainer = new BuildExplainer(history, "project", () => new Date(++time * 1000));
    explainer.learn(steps.flatMap((step) => [toVertex(step), contextVertex]));
    for (const step of steps) explainer.fact(factOf(step, "named", false));
    for (const step of how.ran ?? steps) explainer.fact(factOf(step, "run", how.fresh ?? false));
    if (how.failed) {
      const { digest, name } = toVertex(how.failed);
      explainer.event({ type: "step", step: digest, name, at: new Date(0), state: "failed" });
    }
    explainer.remember();
    return Object.fromEntries(explainer.explanations.map(({ name, reasons }) => [name, reasons]));
  };
}

const base = (digest: string): Step => ({ name: "base", image: `docker.io/library/x:1@${digest}` });
const one = digestOf("one");
const run = (command: string, on: Step = base(one), env: readonly string[] = []): Step => ({
  name: `[2/3] RUN ${command}`,
  command,
  env,
  on: [on],
});

describe("a step ran because", () => {
  it("nothing was known of it", () => {
    const build = createProject();
    expect(build([run("a")])).toEqual({ "[2/3] RUN a": [{ kind: "new" }] });
  });

  it("its command changed", () => {
    const build = createProject();
    build([run("make all"), { name: "[other 1/1] RUN make al", command: "make al" }]);
    expect(build([run("make most")])).toEqual({
      "[2/3] RUN make most": [
        { kind: "definition", field: "command", old: "make all", new: "make most" },
      ],
    });
  });

  it("its variables changed; those that look secret are not told", () => {
    const build = createProject();
    build([run("a", base(one), ["V=1", "GONE=x", "API_TOKEN=hunter2"])]);
    const reasons = build([run("a", base(one), ["V=2", "ADDED=y", "API_TOKEN=hunter3"])]);
    expect(reasons["[2/3] RUN a"]).toEqual([
      { kind: "definition", field: "variable V", old: "1", new: "2" },
      { kind: "definition", field: "variable ADDED", new: "y" },
      { kind: "definition", field: "variable API_TOKEN" },
      { kind: "definition", field: "variable GONE", old: "x" },
    ]);
  });

  it("a repository has another commit, or what it had before is not known", () => {
    const source = {
      digest: digestOf("git"),
      name: "git",
      inputs: [],
      op: { kind: "source", identifier: "git://example.com/r.git", attrs: {} },
    } as unknown as LlbVertex;
    const step = toVertex(run("a"));
    const vertex = { ...step, inputs: [{ vertex: source, output: 0 }] } as unknown as LlbVertex;
    const history = openStepHistory(memoryMetadata());
    const build = (commit: string, pin?: string) => {
      const at = () => new Date(1000);
      const explainer = new BuildExplainer(history, "project", at, () => pin);
      explainer.learn([vertex, source]);
      explainer.fact({
        ...{ vertex: vertex.digest, stage: "run", ignoresCache: false, step: digestOf("a") },
        ...{ key: commit, inputs: [{ names: [commit], fresh: false }] },
      } as unknown as StepFact);
      explainer.remember();
      return explainer.explanations[0]?.reasons;
    };
    const same = source.op.kind === "source" ? source.op.identifier : "";
    build("c1");
    expect(build("c2", "r.git#2")).toEqual([{ kind: "source", old: same, new: same }]);
    expect(build("c3", "r.git#3")).toEqual([{ kind: "source", old: "r.git#2", new: "r.git#3" }]);
  });

  it("its base image has another digest, or is another image", () => {
    const build = createProject();
    build([run("a")]);
    const two = digestOf("two");
    expect(build([run("a", base(two))])["[2/3] RUN a"]).toEqual([
      {
        kind: "image",
        old: `docker.io/library/x:1@${one}`,
        new: `docker.io/library/x:1@${two}`,
      },
    ]);
  });

  it("files changed: contents, mode, owner, added, removed", () => {
    const build = createProject();
    const copy = (files: Record<string, string>): Step => ({
      name: "[3/3] COPY . .",
      on: [run("a"), { files }],
    });
    build([
      copy({
        "/": "directory 755 0:0",
        "/same": "file 644 0:0 11",
        "/a": "file 644 0:0 11",
        "/b": "file 644 0:0 22",
        "/gone": "symlink - 0:0 a b",
      }),
    ]);
    const reasons = build([
      copy({
        "/": "directory 755 0:0",
        "/same": "file 644 0:0 11",
        "/a": "file 644 0:0 99",
        "/b": "file 755 5:6 22",
        "/new": "file 644 0:0 33",
      }),
    ]);
    const root = { uid: 0, gid: 0 };
    expect(reasons["[3/3] COPY . ."]).toEqual([
      {
        kind: "files",
        from: "context",
        changes: [
          {
            path: "a",
            old: { type: "file", mode: "644", ...root, content: "11" },
            new: { type: "file", mode: "644", ...root, content: "99" },
          },
          {
            path: "b",
            old: { type: "file", mode: "644", ...root, content: "22" },
            new: { type: "file", mode: "755", uid: 5, gid: 6, content: "22" },
          },
          { path: "gone", old: { type: "symlink", ...root, content: "a b" } },
          { path: "new", new: { type: "file", mode: "644", ...root, content: "33" } },
        ],
      },
    ]);
  });

  it("files changed: of many, the number and the first ones", () => {
    const build = createProject();
    const many = (content: string) =>
      Object.fromEntries(
        Array.from({ length: 20_000 }, (_, at) => [
          `/d${at % 9}/f${at}`,
          `file 644 0:0 ${content}`,
        ]),
      );
    const copy = (files: Record<string, string>): Step => ({
      name: "[2/2] COPY . .",
      on: [{ files }],
    });
    build([copy(many("1"))]);
    const reasons = build([copy({ ...many("1"), "/d3/f3": "file 644 0:0 2" })])["[2/2] COPY . ."];
    expect(reasons).toMatchObject([{ kind: "files", changes: [{ path: "d3/f3" }] }]);
    const [all] = build([copy(many("3"))])["[2/2] COPY . ."] ?? [];
    expect(all?.kind === "files" && all.changes).toHaveLength(1000);
    expect(all).toMatchObject({ kind: "files", more: 19_000 });
  });

  it("an earlier step ran, beside what changed in itself", () => {
    const build = createProject();
    const last = (before: Step, env: readonly string[] = []): Step => ({
      name: "[3/3] RUN z",
      command: "z",
      env,
      on: [before],
    });
    build([run("a"), last(run("a"))]);
    const changed = run("b");
    const step = toVertex(changed).digest;
    expect(build([changed, last(changed, ["N=1"])])["[3/3] RUN z"]).toEqual([
      { kind: "definition", field: "variable N", new: "1" },
      { kind: "step", step, name: "[2/3] RUN b" },
    ]);
  });

  it("it was to run without the cache, and so was what it is built on", () => {
    const build = createProject();
    build([run("a")]);
    const below: Step = { ...run("a"), noCache: true };
    expect(build([below])).toEqual({ "[2/3] RUN a": [{ kind: "no-cache" }] });
    const user: Step = { name: "[3/3] RUN z", on: [below] };
    expect(build([user], { fresh: true })["[3/3] RUN z"]).toEqual([
      { kind: "step", step: toVertex(below).digest, name: "[2/3] RUN a" },
    ]);
  });

  it("its result was removed", () => {
    const build = createProject();
    build([run("a")]);
    expect(build([run("a")])).toEqual({ "[2/3] RUN a": [{ kind: "pruned" }] });
  });

  it("it failed the last time", () => {
    const build = createProject();
    build([run("a")], { failed: run("a") });
    expect(build([run("a")])).toEqual({ "[2/3] RUN a": [{ kind: "failed" }] });
  });
});

describe("what a step is compared with", () => {
  it("is the last build, also where that found everything in the cache", () => {
    const build = createProject();
    build([run("a")]);
    build([run("b")]);
    expect(build([run("a")], { ran: [] })).toEqual({});
    expect(build([run("c")])["[2/3] RUN c"]).toMatchObject([{ old: "a", new: "c" }]);
  });

  it("is still known of stages that builds between left out", () => {
    const build = createProject();
    const other: Step = { name: "[other 1/1] RUN o", command: "o", on: [base(one)] };
    build([run("a"), other]);
    build([run("b")]);
    const changed = { ...other, command: "p", name: "[other 1/1] RUN p" };
    expect(build([changed])["[other 1/1] RUN p"]).toMatchObject([{ old: "o", new: "p" }]);
  });

  it("is never a step that the build still has", () => {
    const build = createProject();
    build([run("make")]);
    const added = { ...run("make check"), name: "[3/3] RUN make check" };
    expect(build([run("make"), added], { ran: [added] })["[3/3] RUN make check"]).toEqual([
      { kind: "new" },
    ]);
  });
});

describe("listings that are cut", () => {
  const cut = (...paths: readonly string[]) =>
    listingOf(Object.fromEntries(paths.map((path) => [path, "file 644 0:0 1"])), true);

  it("are compared as far as both go", () => {
    // What came first pushed the last one out of the listing: it is not gone.
    const old = cut("/a", "/a/x", "/a-b", "/c");
    const now = cut("/0", "/a", "/a/x", "/a-b");
    expect(changedFiles("context", old, now)).toEqual({
      kind: "files",
      from: "context",
      changes: [{ path: "0", new: { type: "file", mode: "644", uid: 0, gid: 0, content: "1" } }],
      compared: 4,
    });
    expect(changedFiles("context", now, old)).toMatchObject({ changes: [{ path: "0" }] });
    expect(changedFiles("context", old, cut("/a", "/a-b", "/c", "/d"))).toMatchObject({
      changes: [{ path: "a/x" }],
    });
  });

  it("without a difference leave it open which files changed", () => {
    const listing = cut("/a");
    expect(changedFiles("context", listing, listing)).toMatchObject({ changes: [], compared: 1 });
  });
});

describe("a kept listing", () => {
  it("is read as it was, and not at all when it is damaged", () => {
    const listing = listingOf({ "/": "directory 755 0:0", "/a b/é": "symlink - 0:0 x y" }, true);
    const packed = packListing(listing);
    expect(unpackListing(packed)).toEqual(listing);
    for (const kept of [undefined, "x", [["/a", "b"]], { packed: 1 }, { packed: "AAAA" }])
      expect(unpackListing(kept)).toBeUndefined();
  });

  it("of a hundred thousand paths is small, and quickly made", () => {
    const paths = new Map(
      Array.from({ length: 100_000 }, (_, at) => [
        `/packages/p${at >> 6}/src/components/file-${at}.ts`,
        `file 644 0:0 ${digestOf(`${at}`).slice(7, 19)}`,
      ]),
    );
    const start = performance.now();
    const packed = packListing({ paths, isCut: false });
    expect(unpackListing(packed)?.paths.size).toBe(100_000);
    expect(performance.now() - start).toBeLessThan(3000);
    expect(packed.packed.length).toBeLessThan(3_000_000);
  });
});

describe("the history", () => {
  it("forgets the oldest listings, and says then that it does not know", () => {
    const metadata = memoryMetadata();
    const history = openStepHistory(metadata);
    // Nothing makes it shorter.
    const large = listingOf({ "/a": randomBytes((10 << 20) * 0.75).toString("base64") });
    const build = { at: 1, steps: [] };
    for (let i = 0; i < 8; i++) {
      history.remember({
        project: "p",
        build,
        ran: new Map(),
        listings: new Map([[`c${i}`, large]]),
      });
    }
    const known = Array.from({ length: 8 }, (_, i) => history.listing(`c${i}`) !== undefined);
    expect(known).toEqual([false, false, true, true, true, true, true, true]);
  });

  it("says how much it remembers, and forgets all of it when it is asked to", () => {
    const history = openStepHistory(memoryMetadata());
    expect(history.extent()).toEqual({ size: 0, at: undefined });
    const remember = () =>
      history.remember({
        project: "p",
        build: { at: 7, steps: [] },
        ran: new Map(),
        listings: new Map([["c", listingOf({ "/a": randomBytes(1000).toString("hex") })]]),
      });
    remember();
    expect(history.extent().size).toBeGreaterThan(1000);
    expect(history.extent().at).toBe(7);
    history.clear();
    expect(history.extent()).toEqual({ size: 0, at: undefined });
    expect(history.listing("c")).toBeUndefined();
    remember();
    expect(history.lastBuild("p")?.at).toBe(7);
  });
});
