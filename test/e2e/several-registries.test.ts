// One build for two real registries: both get the name or none does, whatever dies when, Kiln itself included.
import type { ChildProcess } from "node:child_process";
import { readdirSync } from "node:fs";
import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
  request as send,
} from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type RunningRegistry, startRegistry } from "../../scripts/fixtures/registry.ts";
import { openWorld, type World } from "./world.ts";

/** What the way to the second registry does with a request. */
type Verdict = "pass" | "cut" | "hang" | number;

interface Way extends AsyncDisposable {
  readonly address: string;
  /** `METHOD path`, in order. */
  readonly log: string[];
  judge: (request: {
    readonly method: string;
    readonly path: string;
    readonly at: number;
  }) => Verdict;
}

/** A proxy in front of a registry. */
async function openWay(target: string): Promise<Way> {
  const handle = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { method = "", url: path = "" } = incoming;
    const verdict = way.judge({ method, path, at: way.log.length });
    way.log.push(`${method} ${path}`);
    if (verdict === "cut") return void incoming.socket.destroy();
    if (verdict === "hang") return void incoming.resume();
    if (typeof verdict === "number") {
      incoming.resume();
      return void outgoing.writeHead(verdict, { "content-length": 0 }).end();
    }
    const [host = "", port = ""] = target.split(":");
    const passed = send({ host, port, method, path, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on("error", () => incoming.socket.destroy());
    incoming.pipe(passed);
  };
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const way: Way = {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    log: [],
    judge: () => "pass",
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return way;
}

describe("two registries", { timeout: 300_000 }, () => {
  let world: World;
  let second: RunningRegistry;
  let a: Way;
  let b: Way;
  let builds = 0;

  beforeAll(async () => {
    world = await openWorld();
    second = await startRegistry({ directory: join(world.directory, "second") });
    [a, b] = await Promise.all([openWay(world.registry.address), openWay(second.address)]);
  });
  afterAll(async () => {
    for (const one of [a, b, second, world]) await one?.[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    b.judge = () => "pass";
  });

  const names = () => [a, b].flatMap(({ address }) => ["-t", `${address}/app:1`]);
  const contextOf = (text: string) =>
    world.context({ Dockerfile: "FROM scratch\nCOPY file /\n", file: text });
  const push = (context: string, started?: (child: ChildProcess) => void) =>
    world.kiln(["build", "--progress=plain", ...names(), "--push", context], {
      ...(started ? { started } : {}),
    });

  async function tagOf({ address }: { readonly address: string }): Promise<string | null> {
    const accept = [
      "application/vnd.oci.image.index.v1+json",
      "application/vnd.oci.image.manifest.v1+json",
    ].join(",");
    const response = await fetch(`http://${address}/v2/app/manifests/1`, {
      method: "HEAD",
      headers: { accept },
    });
    return response.headers.get("docker-content-digest");
  }
  const tags = () => Promise.all([world.registry, second].map(tagOf));

  /** Publishes something new everywhere. */
  async function publish(): Promise<string> {
    const outcome = await push(contextOf(`old ${++builds}`));
    expect(outcome.stderr).not.toContain("error:");
    const [one, two] = await tags();
    expect(one).toBe(two);
    return one ?? "";
  }

  test("get the same image under the name", async () => {
    expect(await publish()).toMatch(/^sha256:/);
  });

  test("keep the old one when the second dies in the middle, and nothing is sent twice", async () => {
    // How many requests there are.
    await publish();
    b.log.length = 0;
    await publish();
    const requests = b.log.length;
    let died = 0;
    let twice = 0;
    for (let at = 0; at < requests; at += 2) {
      const before = await publish();
      const context = contextOf(`new ${++builds}`);
      b.log.length = 0;
      a.log.length = 0;
      b.judge = (one) => (one.at >= at ? 403 : "pass");
      const failed = await push(context);
      const sent = finished(a.log);
      b.judge = () => "pass";
      expect(failed.status, failed.stderr).not.toBe(0);
      died++;
      expect((await tags())[0], `second registry refused from request ${at} of ${requests}`).toBe(
        before,
      );
      a.log.length = 0;
      const next = await push(context);
      expect(next.status).toBe(0);
      const [one, two] = await tags();
      expect(one).toBe(two);
      expect(one).not.toBe(before);
      twice += finished(a.log).filter((blob) => sent.includes(blob)).length;
    }
    process.stdout.write(
      `two registries: the second refused from ${died} of ${requests} requests on; the first kept the old image each time; ${twice} blobs sent twice\n`,
    );
    expect(twice).toBe(0);
  });

  test("are told before any step runs that one of them denies", async () => {
    b.judge = ({ method }) => (method === "POST" ? 403 : "pass");
    const context = world.context({ Dockerfile: "FROM busybox\nRUN echo step-that-runs\n" });
    const outcome = await push(context);
    expect(outcome.status).not.toBe(0);
    expect(outcome.stderr).not.toMatch(/DONE.*step-that-runs/);
  });

  test("and a killed Kiln: the next run completes what it began", async () => {
    const before = await publish();
    const context = contextOf(`killed ${++builds}`);
    let kill = () => {};
    b.judge = ({ method, path }) => {
      if (method !== "PUT" || !path.endsWith("/manifests/1")) return "pass";
      // The first registry has moved by then, or is about to.
      setTimeout(() => kill(), 300);
      return "hang";
    };
    const killed = await push(context, (child) => {
      kill = () => void child.kill("SIGKILL");
    });
    expect(killed.signal).toBe("SIGKILL");
    const [torn, old] = await tags();
    expect(old).toBe(before);
    expect(torn).not.toBe(before);
    const journal = join(world.root, "exports/pushes");
    expect(readdirSync(journal)).toHaveLength(1);
    b.judge = () => "pass";
    // Any push completes it, whatever it is of.
    const other = world.context({ Dockerfile: "FROM scratch\nCOPY f /\n", f: "other" });
    const next = await world.kiln([
      "build",
      "--progress=plain",
      "-t",
      `${world.registry.address}/other:1`,
      "--push",
      other,
    ]);
    expect(next.stderr).toContain("completing an interrupted push");
    expect(await tags()).toEqual([torn, torn]);
    expect(readdirSync(journal)).toEqual([]);
  });
});

/** Blobs whose upload was finished. */
function finished(log: readonly string[]): readonly string[] {
  return log.flatMap((line) => {
    const [, digest] = /^PUT .*\/uploads\/.*[?&]digest=([^&]+)/.exec(line) ?? [];
    return digest === undefined ? [] : [decodeURIComponent(digest)];
  });
}
