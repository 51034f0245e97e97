// The driver with a real kubectl and an API server that knows as much of Kubernetes as it needs.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readDockerContexts } from "../../src/remote/docker/index.ts";
import { openNode } from "../../src/remote/driver/index.ts";
import type { NodeRecord } from "../../src/remote/store/index.ts";

const hasKubectl = spawnSync("kubectl", ["version", "--client"]).status === 0;
if (!hasKubectl) console.warn("skipped: the kubernetes driver: missing here: kubectl");

type Doc = Record<string, unknown>;

const resources: Readonly<Record<string, Doc>> = {
  "/api": { kind: "APIVersions", versions: ["v1"] },
  "/apis": {
    kind: "APIGroupList",
    apiVersion: "v1",
    groups: [
      {
        name: "apps",
        versions: [{ groupVersion: "apps/v1", version: "v1" }],
        preferredVersion: { groupVersion: "apps/v1", version: "v1" },
      },
    ],
  },
  "/api/v1": resourceList("v1", [
    ["pods", "Pod"],
    ["configmaps", "ConfigMap"],
    ["persistentvolumeclaims", "PersistentVolumeClaim"],
  ]),
  "/apis/apps/v1": resourceList("apps/v1", [
    ["deployments", "Deployment"],
    ["deployments/scale", "Scale"],
    ["statefulsets", "StatefulSet"],
  ]),
};

function resourceList(groupVersion: string, names: readonly (readonly [string, string])[]): Doc {
  const verbs = ["get", "list", "create", "update", "patch", "delete"];
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion,
    resources: names.map(([name, kind]) => ({
      name,
      singularName: kind.toLowerCase(),
      kind,
      namespaced: true,
      verbs,
    })),
  };
}

/** Objects by path; a workload has its pods ready as soon as it exists. */
class FakeCluster {
  readonly objects = new Map<string, Doc>();
  readonly asked: string[] = [];
  #server: Server | undefined;

  async start(): Promise<string> {
    this.#server = createServer((request, response) => {
      let text = "";
      request.on("data", (chunk: Uint8Array) => {
        text += new TextDecoder().decode(chunk);
      });
      request.on("end", () => {
        const [path = ""] = (request.url ?? "").split("?");
        this.asked.push(`${request.method} ${path}`);
        const [status, document] = this.#answer(request.method ?? "", path, text);
        response
          .writeHead(status, { "content-type": "application/json" })
          .end(JSON.stringify(document));
      });
    });
    await new Promise<void>((resolve) => this.#server?.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  #answer(method: string, path: string, body: string): readonly [number, Doc] {
    const fixed = resources[path];
    if (fixed) return [200, fixed];
    if (method === "POST") {
      const document = JSON.parse(body) as Doc & { metadata: { name: string } };
      this.objects.set(`${path}/${document.metadata.name}`, document);
      return [201, document];
    }
    if (path.endsWith("/pods"))
      return [200, { kind: "PodList", apiVersion: "v1", metadata: {}, items: this.#pods() }];
    const found = this.objects.get(path.replace(/\/scale$/, ""));
    if (!found)
      return [
        404,
        {
          kind: "Status",
          apiVersion: "v1",
          status: "Failure",
          reason: "NotFound",
          code: 404,
          message: `${path} not found`,
        },
      ];
    if (method === "DELETE") {
      this.objects.delete(path);
      return [200, { kind: "Status", apiVersion: "v1", status: "Success" }];
    }
    return [200, { ...found, status: { readyReplicas: this.#pods().length } }];
  }

  #pods(): readonly Doc[] {
    const workload = [...this.objects.values()].find(
      ({ kind }) => kind === "Deployment" || kind === "StatefulSet",
    );
    const { replicas = 0 } = (workload?.["spec"] ?? {}) as { replicas?: number };
    return Array.from({ length: replicas }, (_value, at) => ({
      kind: "Pod",
      apiVersion: "v1",
      metadata: { name: `b0-${at}`, namespace: "ci" },
      status: { conditions: [{ type: "Ready", status: "True" }] },
    }));
  }
}

describe.skipIf(!hasKubectl)("a node in a cluster", () => {
  let cluster: FakeCluster;
  let directory: string;
  let kubeconfig: string;
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "kube-"));
    cluster = new FakeCluster();
    const server = await cluster.start();
    kubeconfig = join(directory, "config");
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "c", cluster: { server } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      users: [{ name: "u", user: {} }],
      "current-context": "x",
    };
    writeFileSync(kubeconfig, JSON.stringify(config));
  });
  afterEach(() => {
    cluster.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const open = (driverOpts: Record<string, string>, files: NodeRecord["files"] = {}) => {
    const endpoint = `kubernetes:///?deployment=&kubeconfig=${encodeURIComponent(kubeconfig)}`;
    const node = {
      name: "b_0",
      endpoint,
      platforms: [],
      driverOpts: { namespace: "ci", ...driverOpts },
      flags: [],
      files,
    };
    const contexts = readDockerContexts({ env: {}, directory });
    return openNode({ driver: "kubernetes", nodes: [node] }, node, {
      env: { ...process.env, HOME: directory },
      contexts,
      root: directory,
    });
  };
  const call = { signal: AbortSignal.timeout(25_000) };

  test("is made, found ready, and taken away with its configuration", async () => {
    const driver = open({ replicas: "2" }, { "buildkitd.toml": new Uint8Array([97]) });
    expect(await driver.status(call)).toBe("inactive");
    const said: string[] = [];
    await driver.boot((line) => said.push(line), call);
    expect([...cluster.objects.keys()].sort()).toEqual([
      "/api/v1/namespaces/ci/configmaps/b-0-config",
      "/apis/apps/v1/namespaces/ci/deployments/b-0",
    ]);
    expect(said).toEqual([
      "applying deployment b-0",
      "waiting for 2 pods to be ready, timeout: 120 seconds",
    ]);
    expect(await driver.status(call)).toBe("running");
    await driver.remove({ keepState: false, keepDaemon: false }, call);
    expect(cluster.objects.size).toBe(0);
  });

  test("pods that never get ready are a failure that says where to look", async () => {
    const driver = open({ timeout: "1s" });
    const boot = driver.boot(() => cluster.objects.clear(), call);
    cluster.objects.clear();
    const emptied = setInterval(() => cluster.objects.clear(), 5);
    await expect(boot).rejects.toThrow("expected 1 replicas to be ready within 1 seconds");
    clearInterval(emptied);
  });

  test("a server that is not there is told of in kubectl's words", async () => {
    cluster.stop();
    await expect(open({}).status(call)).rejects.toThrow(/kubectl get failed/);
  });
});
