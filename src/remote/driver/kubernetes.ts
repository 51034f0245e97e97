// Driver `kubernetes`: a BuildKit daemon in pods of a cluster, as a Deployment or, with a volume, a StatefulSet.
import { createHash } from "node:crypto";
import { type Call, delay, isRecord, KilnError } from "../../base/index.ts";
import { openProgramStream } from "../docker/index.ts";
import type { NodeRecord } from "../store/index.ts";
import type { DriverKind, DriverWorld, NodeStatus, RemoveOptions, Say } from "./driver.ts";
import { type Cluster, clusterFlags, isNotFound, kubectl } from "./kubectl.ts";
import { daemonContainer, nodeObjects, workloadKind } from "./kubernetes-manifest.ts";
import { type KubernetesOptions, kubernetesOptions } from "./kubernetes-options.ts";

export const kubernetesKind: DriverKind = {
  name: "kubernetes",
  creatable: true,
  configurable: true,
  open(node, world) {
    const options = kubernetesOptions(node);
    const place = placeOf(node, options, world);
    return {
      name: "kubernetes",
      node,
      defaultLoad: options.defaultLoad,
      status: (call) => statusOf(place, call),
      boot: (say, call) => boot(place, say, call),
      async connect(call) {
        const pod = await choosePod(place, call);
        const exec = [
          "exec",
          "-i",
          pod,
          `--container=${daemonContainer}`,
          "--",
          "buildctl",
          "dial-stdio",
        ];
        return await openProgramStream(
          ["kubectl", ...clusterFlags(place.cluster), ...exec],
          world.env,
          call,
        );
      },
      async stop(call) {
        if ((await statusOf(place, call)) === "inactive") return;
        await kubectl(
          place.cluster,
          ["scale", workloadKind(options), place.name, "--replicas=0"],
          undefined,
          call,
        );
      },
      remove: (how, call) => remove(place, how, call),
    };
  },
};

interface Place {
  readonly name: string;
  readonly node: NodeRecord;
  readonly options: KubernetesOptions;
  readonly cluster: Cluster;
}

/** The endpoint is `kubernetes:///?deployment=NAME&kubeconfig=FILE`, or the name of a kubectl context. */
function placeOf(node: NodeRecord, options: KubernetesOptions, { env }: DriverWorld): Place {
  const isAddress = node.endpoint.startsWith("kubernetes://");
  const query = new URLSearchParams(
    isAddress ? node.endpoint.slice(node.endpoint.indexOf("?") + 1) : "",
  );
  const cluster = {
    kubeconfig: query.get("kubeconfig") || undefined,
    context: isAddress ? query.get("context") || undefined : node.endpoint || undefined,
    namespace: options.namespace,
    env,
  };
  // Names of objects are those of hosts: no underscores, no capitals.
  const name = (query.get("deployment") || node.name).toLowerCase().replace(/[^a-z0-9-]/g, "-");
  return { name, node, options, cluster };
}

async function statusOf({ name, options, cluster }: Place, call: Call): Promise<NodeStatus> {
  try {
    const text = await kubectl(
      cluster,
      ["get", workloadKind(options), name, "--output=json"],
      undefined,
      call,
    );
    const document: unknown = JSON.parse(text);
    const status = isRecord(document) && isRecord(document["status"]) ? document["status"] : {};
    const spec = isRecord(document) && isRecord(document["spec"]) ? document["spec"] : {};
    if (Number(status["readyReplicas"] ?? 0) > 0) return "running";
    return spec["replicas"] === 0 ? "stopped" : "starting";
  } catch (error) {
    if (isNotFound(error)) return "inactive";
    throw error;
  }
}

async function boot(place: Place, say: Say, call: Call): Promise<void> {
  const { name, node, options, cluster } = place;
  if ((await statusOf(place, call)) === "running") return;
  const objects = { apiVersion: "v1", kind: "List", items: nodeObjects(name, node, options) };
  say(`applying ${workloadKind(options)} ${name}`);
  await kubectl(
    cluster,
    ["apply", "--validate=false", "--filename=-"],
    JSON.stringify(objects),
    call,
  );
  say(
    `waiting for ${options.replicas} pods to be ready, timeout: ${options.timeout / 1000} seconds`,
  );
  const end = Date.now() + options.timeout;
  for (
    let pause = 100;
    (await readyPods(place, call)).length < options.replicas;
    pause = Math.min(pause * 2, 2000)
  ) {
    if (Date.now() > end) {
      throw new KilnError(
        "BUILDER_FAILED",
        `expected ${options.replicas} replicas to be ready within ${options.timeout / 1000} seconds`,
        {
          hint: `See why: kubectl describe ${workloadKind(options)} ${name}`,
        },
      );
    }
    await delay(pause, call);
  }
}

/** Names of pods whose containers are all ready, in order. */
async function readyPods({ name, cluster }: Place, call: Call): Promise<readonly string[]> {
  const text = await kubectl(
    cluster,
    ["get", "pods", `--selector=app=${name}`, "--output=json"],
    undefined,
    call,
  );
  const document: unknown = JSON.parse(text);
  const items = isRecord(document) && Array.isArray(document["items"]) ? document["items"] : [];
  return items.filter(isReady).map(podName).sort();
}

function isReady(pod: unknown): boolean {
  const status = isRecord(pod) ? pod["status"] : undefined;
  const conditions =
    isRecord(status) && Array.isArray(status["conditions"]) ? status["conditions"] : [];
  return conditions.some(
    (one) => isRecord(one) && one["type"] === "Ready" && one["status"] === "True",
  );
}

function podName(pod: unknown): string {
  const metadata = isRecord(pod) ? pod["metadata"] : undefined;
  const name = isRecord(metadata) ? metadata["name"] : undefined;
  if (typeof name !== "string")
    throw new KilnError("BUILDER_FAILED", "the cluster told of a pod without a name");
  return name;
}

/** Sticky: the same directory is built by the same pod, which has its files and cache. */
async function choosePod(place: Place, call: Call): Promise<string> {
  const pods = await readyPods(place, call);
  const number =
    place.options.loadBalance === "random"
      ? Math.floor(Math.random() * pods.length)
      : createHash("sha256").update(process.cwd()).digest().readUInt32BE(0) %
        Math.max(pods.length, 1);
  const pod = pods[number];
  if (pod !== undefined) return pod;
  throw new KilnError("BUILDER_UNREACHABLE", `${place.name} has no pod that is ready`, {
    hint: `See why: kubectl get pods --selector app=${place.name}`,
  });
}

async function remove(
  place: Place,
  { keepDaemon, keepState }: RemoveOptions,
  call: Call,
): Promise<void> {
  if (keepDaemon) return;
  const { name, options, cluster } = place;
  const gone = async (...what: string[]) =>
    void (await kubectl(cluster, ["delete", ...what, "--ignore-not-found"], undefined, call));
  await gone(workloadKind(options), name);
  if (Object.keys(place.node.files).length > 0) await gone("configmap", `${name}-config`);
  if (options.claim !== undefined && !keepState)
    await gone("persistentvolumeclaim", `--selector=app=${name}`);
}
