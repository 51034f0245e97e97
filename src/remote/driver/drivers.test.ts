import { describe, expect, test } from "vitest";
import { hostPlatform, parsePlatform } from "../../formats/oci/index.ts";
import { readDockerContexts } from "../docker/index.ts";
import type { NodeRecord } from "../store/index.ts";
import { containerDocument, containerOptions } from "./container-options.ts";
import { driverKind, driverName, embeddedEndpoint, embeddedRoot, openNode } from "./index.ts";
import { nodeObjects } from "./kubernetes-manifest.ts";
import { kubernetesOptions } from "./kubernetes-options.ts";
import { podCommand } from "./remote-address.ts";

const world = {
  env: {},
  contexts: readDockerContexts({ env: {}, directory: "/nowhere" }),
  root: "/state",
};

function node(driverOpts: Record<string, string> = {}, more: Partial<NodeRecord> = {}): NodeRecord {
  return {
    name: "b0",
    endpoint: "tcp://10.0.0.1:1234",
    platforms: [],
    driverOpts,
    flags: [],
    files: {},
    ...more,
  };
}

const open = (driver: string, one: NodeRecord) => () =>
  openNode({ driver, nodes: [one] }, one, world);

describe("a node is refused in the reference's words", () => {
  test.each([
    ["remote", node({ foo: "bar" }), "invalid driver option foo for remote driver"],
    ["remote", node({ cert: "/a" }), "tls enabled, but missing keys cacert, key"],
    ["remote", node({ key: "/a" }), "tls enabled, but missing keys cacert, cert"],
    ["remote", node({ cacert: "rel" }), "non-absolute path 'rel' provided for cacert"],
    ["remote", node({ "default-load": "xx" }), 'strconv.ParseBool: parsing "xx": invalid syntax'],
    [
      "remote",
      node({}, { flags: ["--debug"] }),
      "setting buildkit flags is not supported for remote driver",
    ],
    ["remote", node({}, { endpoint: "foo:1234" }), "unrecognized url scheme "],
    [
      "docker-container",
      node({ nope: "1" }),
      "invalid driver option nope for docker-container driver",
    ],
    ["docker-container", node({ memory: "xx" }), "invalid size: 'xx'"],
    ["kubernetes", node({ replicas: "0" }), "invalid number of replicas: 0"],
    ["kubernetes", node({ loadbalance: "x" }), 'invalid loadbalance "x"'],
    ["docker", node({ image: "x" }), "invalid driver option image for docker driver"],
    ["foo", node(), 'failed to find driver "foo"'],
  ])("%s %o", (driver, one, message) => {
    expect(open(driver, one)).toThrow(message);
  });
});

test("hosts and containers that would be options of a program are refused", async () => {
  const call = { signal: AbortSignal.timeout(5000) };
  for (const endpoint of [
    "ssh://-oProxyCommand=x",
    "docker-container://-it",
    "kube-pod://--token",
    "podman-container://",
  ]) {
    const driver = openNode({ driver: "remote", nodes: [] }, node({}, { endpoint }), world);
    await expect(driver.connect(call), endpoint).rejects.toThrow();
  }
});

test("a pod is reached through kubectl", () => {
  expect(podCommand("kube-pod://bk-0?context=c&namespace=n&container=d")).toEqual([
    "kubectl",
    "--context=c",
    "--namespace=n",
    "exec",
    "--container=d",
    "-i",
    "bk-0",
    "--",
    "buildctl",
    "dial-stdio",
  ]);
});

test("an embedded builder is written down as a remote one at the socket of its state directory", () => {
  const one = node({}, { endpoint: embeddedEndpoint("/data/kiln") });
  expect(embeddedRoot(one.endpoint)).toBe("/data/kiln");
  expect(driverName({ driver: "remote", nodes: [one] })).toBe("embedded");
  expect(open("remote", one)().inProcess).toEqual({ root: "/data/kiln" });
  expect(embeddedRoot("unix:///run/buildkit/buildkitd.sock")).toBeUndefined();
});

test("a container has the limits, network and state that its options ask for", () => {
  const one = node(
    {
      image: "i",
      memory: "1g",
      "memory-swap": "-1",
      "cpu-quota": "5",
      "cpuset-cpus": "0-1",
      network: "host",
      "restart-policy": "on-failure:3",
      "env.B": "2",
      "env.A": "1",
    },
    { flags: ["--debug"] },
  );
  const document = containerDocument(
    one,
    containerOptions(one),
    { cgroupDriver: "cgroupfs", userns: true },
    "v",
  );
  expect(document).toEqual({
    Image: "i",
    Env: ["A=1", "B=2"],
    Cmd: ["--debug"],
    HostConfig: {
      Privileged: true,
      Init: true,
      RestartPolicy: { Name: "on-failure", MaximumRetryCount: 3 },
      Mounts: [{ Type: "volume", Source: "v", Target: "/var/lib/buildkit" }],
      Memory: 1 << 30,
      MemorySwap: -1,
      CpuQuota: 5,
      CpusetCpus: "0-1",
      NetworkMode: "host",
      CgroupParent: "/docker/buildx",
      UsernsMode: "host",
    },
  });
});

describe("kubernetes", () => {
  const options = {
    namespace: "ci",
    replicas: "2",
    "requests.cpu": "1",
    "limits.memory": "2Gi",
    nodeselector: "disk=ssd,zone=a",
    tolerations: "key=a,operator=Exists;key=b,value=c,effect=NoExecute,tolerationSeconds=60",
    labels: "team=x",
    annotations: "note=y",
    "qemu.install": "true",
    "env.HTTP_PROXY": "p",
    serviceaccount: "sa",
    schedulername: "s",
  };

  test("a deployment has all that the options ask for", () => {
    const one = node(options, {
      platforms: [parsePlatform("linux/arm64", hostPlatform("x64"))],
      flags: ["--debug"],
      files: { "buildkitd.toml": new Uint8Array([97]), "certs/r/ca.pem": new Uint8Array([98]) },
    });
    const [files, workload] = nodeObjects("b0", one, kubernetesOptions(one));
    expect(files).toMatchObject({
      kind: "ConfigMap",
      binaryData: { "buildkitd.toml": "YQ==", "certs__r__ca.pem": "Yg==" },
    });
    expect(workload).toMatchObject({
      kind: "Deployment",
      metadata: { name: "b0", labels: { team: "x", app: "b0" }, annotations: { note: "y" } },
      spec: {
        replicas: 2,
        template: {
          spec: {
            nodeSelector: { disk: "ssd", zone: "a" },
            tolerations: [
              { key: "a", operator: "Exists" },
              { key: "b", value: "c", effect: "NoExecute", tolerationSeconds: 60 },
            ],
            serviceAccountName: "sa",
            schedulerName: "s",
            initContainers: [{ image: "tonistiigi/binfmt:latest", args: ["--install", "all"] }],
            containers: [
              {
                args: ["--debug"],
                env: [{ name: "HTTP_PROXY", value: "p" }],
                resources: { requests: { cpu: "1" }, limits: { memory: "2Gi" } },
                securityContext: { privileged: true },
              },
            ],
            affinity: { nodeAffinity: {} },
          },
        },
      },
    });
  });

  test("a claim makes a stateful set, and rootless a daemon without privileges", () => {
    const one = node({ "persistent-volume-claim.requests.storage": "10Gi", rootless: "true" });
    const [workload] = nodeObjects("b0", one, kubernetesOptions(one));
    expect(workload).toMatchObject({
      kind: "StatefulSet",
      spec: {
        volumeClaimTemplates: [{ spec: { resources: { requests: { storage: "10Gi" } } } }],
        template: {
          spec: {
            containers: [
              {
                image: "moby/buildkit:buildx-stable-1-rootless",
                args: ["--oci-worker-no-process-sandbox"],
                securityContext: { runAsUser: 1000 },
              },
            ],
          },
        },
      },
    });
    expect(JSON.stringify(workload)).not.toContain("privileged");
  });
});

test("docker's own builders cannot be created", () => {
  expect(driverKind("docker").creatable).toBe(false);
});
