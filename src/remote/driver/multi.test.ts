import { describe, expect, test } from "vitest";
import type { BuildEvent, Builder, BuildRequest, Session } from "../../api/index.ts";
import { digestOf, KilnError, uncancelled } from "../../base/index.ts";
import { hostPlatform, parsePlatform } from "../../formats/oci/index.ts";
import { type MultiNode, multiBuilder, nodesFor } from "./index.ts";

const platform = (text: string) => parsePlatform(text, hostPlatform("x64"));
const session = {} as Session;

interface FakeNode extends MultiNode {
  readonly asked: BuildRequest[];
}

/** A node that says what it was asked; `failure` is what its builds end with, `alive` whether it answers afterwards. */
function fakeNode(
  name: string,
  {
    pinned = [] as string[],
    offered = ["linux/amd64"],
    failure = undefined as unknown,
    alive = true,
  } = {},
): FakeNode {
  const asked: BuildRequest[] = [];
  let failed = false;
  const builder: Builder = {
    info: async () => {
      if (failed && !alive) throw new KilnError("BUILDER_UNREACHABLE", "connection refused");
      return { name, version: "1", platforms: offered.map(platform), labels: {} };
    },
    build(request) {
      asked.push(request);
      failed = failure !== undefined;
      async function* events(): AsyncIterable<BuildEvent> {
        const step = digestOf("same");
        yield { type: "step", step, name: "[1/1] RUN x", at: new Date(0), state: "done" };
      }
      const descriptor = {
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        digest: digestOf(name + request.attrs["platform"]),
        size: 2,
      };
      const result = failed
        ? Promise.reject(failure)
        : Promise.resolve({
            exporterResponse: {},
            descriptor,
            places: [{ builder: "b", node: name, ref: request.ref }],
          });
      result.catch(() => undefined);
      return { events: events(), result };
    },
    diskUsage: async () => [],
    prune: async function* () {},
    [Symbol.asyncDispose]: async () => undefined,
  };
  return { name, pinned: pinned.map(platform), open: async () => builder, asked };
}

function multi(nodes: readonly MultiNode[]) {
  const joined: { names: readonly string[]; images: unknown[]; annotations: unknown }[] = [];
  const builder = multiBuilder(nodes, {
    name: "b",
    now: () => new Date(0),
    join: async (names, images, annotations) => {
      const notes = images.map((image) => image.annotations);
      joined.push({ names, images: notes, annotations });
      return {
        mediaType: "application/vnd.oci.image.index.v1+json",
        digest: digestOf("index"),
        size: 1,
      };
    },
  });
  const run = async (
    platforms: string,
    exporters: BuildRequest["exporters"] = [],
    more: Partial<BuildRequest> = {},
  ) => {
    const build = builder.build(
      { ref: "r", attrs: { platform: platforms }, exporters, ...more },
      session,
      uncancelled,
    );
    const events: BuildEvent[] = [];
    const reading = (async () => {
      for await (const event of build.events) events.push(event);
    })();
    try {
      return { result: await build.result, events };
    } finally {
      await reading;
    }
  };
  return { run, joined };
}

const pushed = [
  {
    type: "image",
    attrs: {
      name: "r.test/app:1,r.test/app:2",
      push: "true",
      "annotation-index.a": "b",
      "annotation-manifest-descriptor.all": "1",
      "annotation-manifest-descriptor[linux/arm64].arm": "2",
    },
  },
];

describe("several nodes", () => {
  test("build the platforms that are pinned to them, and their images are joined under all names", async () => {
    const [one, two] = [
      fakeNode("one", { pinned: ["linux/amd64"] }),
      fakeNode("two", { pinned: ["linux/arm64"] }),
    ];
    const { run, joined } = multi([one, two]);
    const { result, events } = await run("linux/arm64,linux/amd64", pushed);
    // Where the parts' records are.
    expect(result.places?.map(({ node, ref }) => [node, ref])).toEqual([
      ["two", two.asked[0]?.ref],
      ["one", one.asked[0]?.ref],
    ]);
    expect(one.asked.map(({ attrs }) => attrs["platform"])).toEqual(["linux/amd64"]);
    expect(two.asked.map(({ attrs }) => attrs["platform"])).toEqual(["linux/arm64"]);
    expect(one.asked[0]?.exporters[0]?.attrs).toEqual({
      name: "r.test/app",
      push: "true",
      "push-by-digest": "true",
      "annotation-manifest-descriptor.all": "1",
      "annotation-manifest-descriptor[linux/arm64].arm": "2",
    });
    expect(one.asked[0]?.ref).not.toBe(two.asked[0]?.ref);
    const names = ["r.test/app:1", "r.test/app:2"];
    const images = [{ all: "1", arm: "2" }, { all: "1" }];
    expect(joined).toEqual([{ names, images, annotations: { a: "b" } }]);
    expect(result.exporterResponse["containerimage.digest"]).toBe(digestOf("index"));
    const steps = events
      .filter((event) => event.type === "step")
      .map(({ name, step }) => ({ name, step }));
    expect(steps.map(({ name }) => name).sort()).toContain("[two 1/1] RUN x");
    expect(
      new Set(steps.filter(({ name }) => name.includes("RUN")).map(({ step }) => step)).size,
    ).toBe(2);
  });

  test("one node is enough when it has all platforms: it gets the request as it is", async () => {
    const one = fakeNode("one", { offered: ["linux/amd64", "linux/arm64"] });
    const { run, joined } = multi([
      one,
      fakeNode("two", { pinned: ["linux/s390x"], offered: ["linux/s390x"] }),
    ]);
    await run("linux/amd64,linux/arm64", pushed);
    expect(one.asked[0]?.exporters).toEqual(pushed);
    expect(joined).toEqual([]);
  });

  test("the platforms of a node that dies go to one that can build them", async () => {
    const lost = new KilnError("REMOTE_FAILED", "the server ended the call without a status");
    const one = fakeNode("one", {
      pinned: ["linux/amd64"],
      offered: ["linux/amd64", "linux/arm64"],
    });
    const two = fakeNode("two", { pinned: ["linux/arm64"], failure: lost, alive: false });
    const { run, joined } = multi([one, two]);
    const { events } = await run("linux/amd64,linux/arm64", pushed);
    expect(one.asked.map(({ attrs }) => attrs["platform"]).sort()).toEqual([
      "linux/amd64",
      "linux/arm64",
    ]);
    expect(joined[0]?.images).toHaveLength(2);
    const warnings = events.flatMap((event) =>
      event.type === "warning" ? [event.warning.message] : [],
    );
    expect(warnings).toEqual([
      expect.stringMatching(/^node two is gone .*: its part goes to another$/),
    ]);
  });

  test("without another node that can, the build fails and names the node", async () => {
    const dead = new KilnError("BUILDER_UNREACHABLE", "connection refused");
    const one = fakeNode("one", { pinned: ["linux/arm64"], failure: dead, alive: false });
    const two = fakeNode("two", { pinned: ["linux/arm64/v9"], failure: dead, alive: false });
    await expect(multi([one, two]).run("linux/arm64")).rejects.toThrow(
      /no node of builder b is left for linux\/arm64; the last was (one|two): connection refused/,
    );
  });

  test("a failed step is a failure of the build, not of the node", async () => {
    const failure = new KilnError("PROCESS_FAILED", "exit code 1");
    const one = fakeNode("one", { pinned: ["linux/amd64"], failure });
    const two = fakeNode("two", { pinned: ["linux/arm64"] });
    await expect(multi([one, two]).run("linux/amd64,linux/arm64")).rejects.toThrow(
      "node one of builder b: exit code 1",
    );
    expect(two.asked.length).toBeLessThanOrEqual(1);
  });

  test("the first gets what none of them offers", async () => {
    const nodes = [fakeNode("one"), fakeNode("two", { pinned: ["linux/arm64"] })];
    await multi(nodes).run("linux/s390x,linux/arm64");
    expect(nodes[0]?.asked.map(({ attrs }) => attrs["platform"])).toEqual(["linux/s390x"]);
  });

  test("a build that somebody drives is one node's, where one can build all of it", async () => {
    const drive = async () => ({ platforms: [], multiPlatform: false, metadata: {} });
    const pinned = { pinned: ["linux/arm64"], offered: ["linux/arm64"] };
    const both = { pinned: ["linux/amd64"], offered: ["linux/amd64", "linux/arm64"] };
    const nodes = [fakeNode("one", pinned), fakeNode("two", both)];
    await multi(nodes).run("linux/amd64,linux/arm64", pushed, { drive });
    expect(nodes.map(({ asked }) => asked.map(({ attrs }) => attrs["platform"]))).toEqual([
      [],
      ["linux/amd64,linux/arm64"],
    ]);
    const apart = [fakeNode("one", pinned), fakeNode("two", { pinned: ["linux/amd64"] })];
    const refused = multi(apart).run("linux/amd64,linux/arm64", pushed, { drive });
    await expect(refused).rejects.toMatchObject({ code: "UNSUPPORTED" });
    expect(apart.flatMap(({ asked }) => asked)).toEqual([]);
  });

  test("archives cannot be put together", async () => {
    const nodes = [
      fakeNode("one", { pinned: ["linux/amd64"] }),
      fakeNode("two", { pinned: ["linux/arm64"] }),
    ];
    const build = multi(nodes).run("linux/amd64,linux/arm64", [{ type: "oci", attrs: {} }]);
    await expect(build).rejects.toThrow(/oci for multi-node builds currently not supported/);
  });
});

describe("the choice of a node", () => {
  const offer = (name: string, pinned: string[], offered: string[]) => ({
    name,
    pinned: pinned.map(platform),
    offered: offered.map(platform),
  });
  const best = (text: string, ...nodes: ReturnType<typeof offer>[]) =>
    nodesFor(nodes, platform(text)).map(({ name }) => name);

  test("prefers the pinned, then the native, then the emulating", () => {
    const emulating = offer("emulating", [], ["linux/amd64", "linux/arm64"]);
    const native = offer("native", [], ["linux/arm64"]);
    const pinned = offer("pinned", ["linux/arm64"], ["linux/amd64"]);
    expect(best("linux/arm64", emulating, native, pinned)).toEqual([
      "pinned",
      "native",
      "emulating",
    ]);
  });

  test("takes 32-bit arm to a 64-bit arm machine", () => {
    expect(
      best("linux/arm/v7", offer("a", [], ["linux/amd64"]), offer("b", [], ["linux/arm64"])),
    ).toEqual(["b"]);
  });

  test("is nobody where nobody can", () => {
    expect(best("linux/s390x", offer("a", [], ["linux/amd64"]))).toEqual([]);
  });
});
