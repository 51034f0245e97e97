import { Buffer } from "node:buffer";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KilnError } from "../../../base/index.ts";
import { errdefs } from "../../../formats/proto/index.ts";
import { StatusError, statusCodes } from "../../../remote/grpc/index.ts";
import { createStyle } from "../../report/index.ts";
import type { World } from "../command.ts";
import { readAuthContexts } from "./auth-tls.ts";
import {
  readCacheExports,
  readCacheImports,
  readDirectories,
  readOpts,
  readOutputs,
} from "./build-options.ts";
import { CacheMetrics } from "./cache-metrics.ts";
import { during, failureText } from "./failure.ts";
import { goDuration } from "./go-duration.ts";
import { lendAgents } from "./lent.ts";
import { metadataText } from "./metadata.ts";
import { readSourcePolicy } from "./source-policy.ts";
import { byteText, tabbedText } from "./tabbed-text.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-buildctl-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const stream = (isTerminal: boolean) => ({
  write() {},
  isTerminal,
  columns: 80,
  rows: 24,
  style: createStyle(false),
});
const world = (env: Record<string, string> = {}) => ({ env, cwd: directory }) as unknown as World;

describe("options of the frontend", () => {
  it("take build arguments without a value from the environment", () => {
    const env = { A: "from here", EMPTY: "" };
    const opts = ["target=x", "build-arg:A", "build-arg:B", "build-arg:EMPTY", "build-arg:C=c=d"];
    expect(readOpts(opts, env)).toEqual({
      target: "x",
      "build-arg:A": "from here",
      "build-arg:EMPTY": "",
      "build-arg:C": "c=d",
    });
  });

  it("must have a value otherwise", () => {
    expect(() => readOpts(["target"], {})).toThrow("invalid opt: invalid value target");
  });
});

describe("shared directories", () => {
  it("are there and are directories", () => {
    writeFileSync(join(directory, "file"), "");
    expect(readDirectories(["context=."], "local", directory)).toEqual(
      new Map([["context", directory]]),
    );
    expect(() => readDirectories(["a=file"], "local", directory)).toThrow("not a directory");
    expect(() => readDirectories(["a=none"], "local", directory)).toThrow("no such file");
    expect(() => readDirectories(["a"], "oci-layout", directory)).toThrow("invalid oci-layout");
  });
});

describe("outputs", () => {
  const none = { output: [], exporter: "", "exporter-opt": [] };
  const read = (output: readonly string[], terminal = false) =>
    readOutputs({ ...none, output }, directory, stream(terminal));

  it("go to files, directories, standard output or to nobody", () => {
    expect(
      read([
        "type=image,name=a/b,push=true",
        "type=local,dest=out,mode=delete",
        "type=tar",
        "type=oci,dest=x.tar",
        "type=oci,tar=false,dest=layout",
      ]),
    ).toEqual([
      {
        request: { type: "image", attrs: { name: "a/b", push: "true" } },
        receiver: undefined,
      },
      {
        request: { type: "local", attrs: { mode: "delete" } },
        receiver: { type: "local", dest: join(directory, "out"), unpack: true, replace: true },
      },
      {
        request: { type: "tar", attrs: {} },
        receiver: { type: "tar", dest: "-", unpack: false, replace: false },
      },
      {
        request: { type: "oci", attrs: {} },
        receiver: { type: "oci", dest: join(directory, "x.tar"), unpack: false, replace: false },
      },
      {
        request: { type: "oci", attrs: { tar: "false", dest: join(directory, "layout") } },
        receiver: { type: "oci", dest: join(directory, "layout"), unpack: true, replace: false },
      },
    ]);
  });

  it.each([
    ["type=local", "output directory is required for local exporter"],
    ["type=oci,tar=false", "output directory is required for oci exporter"],
    ["type=image,dest=x", "output x is not supported by image exporter"],
    ["type=tar,output=x", "output=x not supported for --output, you meant dest=x?"],
    ["dest=x", "--output requires type=<type>"],
    ["local", "invalid value local"],
    ["type=tar,dest=.", "destination file is a directory"],
    ["type=image,name=docker.io/me/:-arm", "a part of it is empty"],
    ["type=image,name=docker.io/me/app:", "a part of it is empty"],
  ])("%s is refused", (text, words) => {
    expect(() => read([text])).toThrow(words);
  });

  it("are not written to a terminal", () => {
    expect(() => read(["type=tar"], true)).toThrow("refusing to write to console");
  });

  it("of the legacy flags become those of today", () => {
    const legacy = { ...none, exporter: "oci", "exporter-opt": ["name=a:1", "output=x.tar"] };
    expect(readOutputs(legacy, directory, stream(false))).toEqual(
      read(["type=oci,name=a:1,dest=x.tar"]),
    );
    const both = { ...legacy, output: ["type=tar"] };
    expect(() => readOutputs(both, directory, stream(false))).toThrow("cannot be used");
  });
});

describe("caches", () => {
  it("are entries, or bare references", () => {
    expect(readCacheImports(["r.example/c:1", "type=local,src=c"], world())).toEqual([
      { type: "registry", attrs: { ref: "r.example/c:1" } },
      { type: "local", attrs: { src: join(directory, "c") } },
    ]);
    expect(readCacheExports(["r.example/c:1"], ["mode=max"], world())).toEqual([
      { type: "registry", attrs: { mode: "max", ref: "r.example/c:1" } },
    ]);
    expect(() => readCacheExports(["type=inline,mode=mid"], [], world())).toThrow(
      "unsupported cache mode mid",
    );
    expect(() => readCacheExports([], ["mode=max"], world())).toThrow("requires --export-cache");
  });

  it("of GitHub know what the job's environment says", () => {
    const env = { ACTIONS_RUNTIME_TOKEN: "t", ACTIONS_CACHE_URL: "u" };
    const [found] = readCacheExports(["type=gha"], [], world(env));
    expect(found?.attrs).toMatchObject({ token: "t", url: "u", mode: "min" });
  });
});

describe("--ssh", () => {
  it("lends any socket as it is with raw=true", async () => {
    const path = join(directory, "raw.sock");
    const server = createServer((socket) => socket.end("whatever is said there"));
    await new Promise<void>((done) => server.listen(path, done));
    const agent = lendAgents([`db=${path},raw=true`], world()).get("db");
    let text = "";
    for await (const chunk of agent?.connect() ?? []) text += chunk;
    expect(text).toBe("whatever is said there");
    server.close();
  });

  it.each([
    ["db=raw=true", "raw mode must supply exactly one socket path"],
    ["db=a,b,raw=true", "raw mode must supply exactly one socket path"],
    ["db=a,raw=maybe", "invalid value for 'raw'"],
    ["db=none.sock,raw=true", "none.sock"],
  ])("%s is refused", (text, words) => {
    expect(() => lendAgents([text], world())).toThrow(words);
  });
});

describe("--registry-auth-tlscontext", () => {
  it("reads certificates by host", () => {
    for (const name of ["ca", "cert", "key"]) writeFileSync(join(directory, name), name);
    const texts = ["host=https://r.example:1,ca=ca", "host=r.example:1,cert=cert,key=key"];
    const keyPair = { cert: "cert", key: "key" };
    expect(readAuthContexts(texts, directory)).toEqual(
      new Map([["r.example:1", { ca: ["ca"], keyPair }]]),
    );
    expect(readAuthContexts(["host=a,insecure=true"], directory).get("a")).toEqual({
      insecure: true,
    });
  });

  it.each([
    ["ca=x", "requires host"],
    ["host=a", "requires ca=<ca> or cert=<cert>,key=<key>"],
    ["host=a,ca=none", "cannot read none"],
    ["host=a,insecure=maybe", "invalid insecure value"],
    ["host=a,foo=b", "unexpected key foo"],
  ])("%s is refused", (text, words) => {
    expect(() => readAuthContexts([text], directory)).toThrow(words);
  });
});

describe("--source-policy-file", () => {
  const read = (document: unknown) => {
    const path = join(directory, "policy.json");
    writeFileSync(path, typeof document === "string" ? document : JSON.stringify(document));
    return readSourcePolicy(path);
  };

  it("is read with names and numbers", () => {
    const selector = { identifier: "docker-image://*", matchType: "REGEX" };
    const policy = read({
      rules: [
        { action: "CONVERT", selector, updates: { identifier: "x", attrs: { a: "b" } } },
        { action: 1, selector: { identifier: "y" } },
      ],
    });
    expect(policy.rules.map(({ action }) => action)).toEqual([2, 1]);
    expect(policy.rules[0]?.updates?.attrs).toEqual(new Map([["a", "b"]]));
  });

  it.each(["[]", "{", '{"rules": 1}', '{"rules": [{"action": "MAYBE"}]}'])("%s is none", (text) => {
    expect(() => read(text)).toThrow("failed to unmarshal source policy file");
  });
});

describe("failures", () => {
  const source = (value: Uint8Array) =>
    new StatusError(statusCodes.UNKNOWN, "it broke", [
      { typeUrl: "github.com/moby/buildkit/errdefs.Source+json", value },
    ]);
  const info = { filename: "Dockerfile", data: "FROM a\nRUN b\nRUN c\nRUN d\nRUN e\n" };
  const json = (ranges: unknown) =>
    new TextEncoder().encode(
      JSON.stringify({
        info: { ...info, data: Buffer.from(info.data).toString("base64") },
        ranges,
      }),
    );

  it("show the lines that the daemon names", async () => {
    const status = source(json([{ start: { line: 3 }, end: { line: 3 } }]));
    const failed = await during("failed to solve", () => Promise.reject(status)).catch(
      (error: unknown) => error,
    );
    expect(failureText(failed)).toBe(`Dockerfile:3
--------------------
   1 |     FROM a
   2 |     RUN b
   3 | >>> RUN c
   4 |     RUN d
   5 |     RUN e
--------------------
error: failed to solve: it broke
`);
  });

  it("read places in protobuf as well", () => {
    const data = new TextEncoder().encode("FROM a\n");
    const place = { line: 1, character: 0 };
    const message = errdefs.Source.create({
      info: { filename: "x", data, language: "" },
      ranges: [{ start: place, end: place }],
    });
    expect(failureText(source(errdefs.Source.encode(message).finish()))).toMatch(
      /^x:1\n-+\n {3}1 \| >>> FROM a\n/,
    );
  });

  it.each([
    ["no JSON", new TextEncoder().encode("{")],
    ["lines beyond the file", json([{ start: { line: 900 }, end: { line: 901 } }])],
    ["no ranges", json([])],
    ["garbage", Uint8Array.of(255, 255, 255)],
  ])("are told without their place where that is %s", (_what, value) => {
    expect(failureText(source(value))).toBe("error: it broke\n");
  });

  it("begin with the code where it says something", () => {
    const text = (code: number) => failureText(new StatusError(code, "words"));
    expect(text(statusCodes.UNAVAILABLE)).toBe("error: Unavailable: words\n");
    expect(text(statusCodes.CANCELLED)).toBe("error: Canceled: words\n");
    expect(text(statusCodes.DEADLINE_EXCEEDED)).toBe("error: DeadlineExceeded: words\n");
    expect(text(statusCodes.INVALID_ARGUMENT)).toBe("error: words\n");
    expect(text(77)).toBe("error: Code(77): words\n");
  });

  it("that are a lost connection say what it may be", () => {
    const text = failureText(new StatusError(2, "the server ended the call without a status"));
    expect(text).toContain("hint: See whether the daemon still runs. If it speaks TLS");
  });

  it("keep their hints, and leave bugs to the command", () => {
    expect(failureText(new KilnError("FLAG_INVALID", "no", { hint: "yes" }))).toBe(
      "error: no\nhint: yes\n",
    );
    expect(failureText(new TypeError("x is not a function"))).toBeUndefined();
  });
});

describe("text", () => {
  it("has columns held apart by tabs", () => {
    expect(
      tabbedText([
        ["ID", "PLATFORMS"],
        ["abcdefghi", "x"],
      ]),
    ).toBe("ID\t\tPLATFORMS\nabcdefghi\tx\n");
    expect(tabbedText([["Labels:"], ["", "a:", "b"], ["", "longer-than-8:", "c"]])).toBe(
      "Labels:\n\ta:\t\tb\n\tlonger-than-8:\tc\n",
    );
    expect(tabbedText([])).toBe("");
  });

  it("has sizes and durations as Go prints them", () => {
    expect([0, 512, 8192, 1.5e9].map((size) => byteText(size))).toEqual([
      "0B",
      "512B",
      "8.19kB",
      "1.50GB",
    ]);
    expect(byteText(512e6, true)).toBe("512MB");
    expect([0, 1.5e6, 9e10, 1.728e14].map(goDuration)).toEqual(["0s", "1.5ms", "1m30s", "48h0m0s"]);
  });

  it("of metadata has what is JSON in base64 as JSON", () => {
    const json = Buffer.from('{"a":1}').toString("base64");
    expect(JSON.parse(metadataText({ b: json, a: "sha256:00", c: "12" }))).toEqual({
      a: "sha256:00",
      b: { a: 1 },
      c: "12",
    });
  });

  it("of cache metrics counts steps", () => {
    const metrics = new CacheMetrics();
    const at = new Date();
    const step = (name: string, state: "cached" | "done" | "started") =>
      metrics.event({ type: "step", step: `sha256:${name}` as never, name, at, state });
    step("[internal] load build definition", "done");
    step("[1/3] FROM busybox", "done");
    step("[2/3] RUN a", "cached");
    step("[3/3] RUN b", "started");
    const [miss, json = ""] = metrics.report().trim().split("\n");
    expect(miss).toBe("cache miss: [3/3] RUN b");
    expect(JSON.parse(json)).toMatchObject({
      total: 4,
      completed: 3,
      user_total: 3,
      user_cached: 1,
      user_cacheable: 2,
      user_completed: 2,
      from: 1,
      miss: 1,
    });
  });
});
