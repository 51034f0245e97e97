// The objects that one node of driver `kubernetes` is made of: a Deployment or StatefulSet, and its configuration.
import { Buffer } from "node:buffer";
import type { NodeRecord } from "../store/index.ts";
import type { KubernetesOptions } from "./kubernetes-options.ts";

/** A Kubernetes object as JSON. */
export type KubernetesObject = Readonly<Record<string, unknown>>;

/** The container that the daemon runs in. */
export const daemonContainer = "buildkitd";

/** What `kubectl apply` is given, the configuration first. */
export function nodeObjects(
  name: string,
  node: NodeRecord,
  options: KubernetesOptions,
): readonly KubernetesObject[] {
  const files = configObject(name, node, options);
  return [...(files ? [files] : []), workload(name, node, options)];
}

function metadata(name: string, { annotations, labels }: KubernetesOptions): KubernetesObject {
  return {
    name,
    // The selector's own label cannot be replaced by a user's.
    labels: { ...labels, app: name },
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
  };
}

/** A state that outlives pods needs pods with names: then it is a StatefulSet. */
export function workloadKind({ claim }: KubernetesOptions): "statefulset" | "deployment" {
  return claim === undefined ? "deployment" : "statefulset";
}

function workload(name: string, node: NodeRecord, options: KubernetesOptions): KubernetesObject {
  const { claim, replicas } = options;
  const state = {
    metadata: { name: "buildkit-state" },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: claim } } },
  };
  return {
    apiVersion: "apps/v1",
    kind: claim === undefined ? "Deployment" : "StatefulSet",
    metadata: metadata(name, options),
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      ...(claim === undefined ? {} : { serviceName: name, volumeClaimTemplates: [state] }),
      template: { metadata: metadata(name, options), spec: podSpec(name, node, options) },
    },
  };
}

function podSpec(name: string, node: NodeRecord, options: KubernetesOptions): KubernetesObject {
  const hasFiles = Object.keys(node.files).length > 0;
  const volumes = [...(hasFiles ? [configVolume(name, node)] : []), ...stateVolume(options)];
  const architectures = [...new Set(node.platforms.map(({ architecture }) => architecture))];
  return {
    containers: [daemon(node, options)],
    ...(options.qemuImage === undefined ? {} : { initContainers: [emulators(options.qemuImage)] }),
    ...(volumes.length > 0 ? { volumes } : {}),
    ...(Object.keys(options.nodeSelector).length > 0 ? { nodeSelector: options.nodeSelector } : {}),
    ...(options.tolerations.length > 0 ? { tolerations: options.tolerations } : {}),
    ...(options.scheduler === undefined ? {} : { schedulerName: options.scheduler }),
    ...(options.serviceAccount === undefined ? {} : { serviceAccountName: options.serviceAccount }),
    ...(architectures.length > 0 ? { affinity: affinityTo(architectures) } : {}),
  };
}

/** Pinned platforms are better served by machines of their own processor. */
function affinityTo(architectures: readonly string[]): KubernetesObject {
  const expression = { key: "kubernetes.io/arch", operator: "In", values: architectures };
  return {
    nodeAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 1, preference: { matchExpressions: [expression] } },
      ],
    },
  };
}

const stateDirectory = {
  usual: "/var/lib/buildkit",
  rootless: "/home/user/.local/share/buildkit",
} as const;
const configDirectory = {
  usual: "/etc/buildkit",
  rootless: "/home/user/.config/buildkit",
} as const;

function daemon(node: NodeRecord, options: KubernetesOptions): KubernetesObject {
  const way = options.rootless ? "rootless" : "usual";
  const args = [...node.flags, ...(options.rootless ? ["--oci-worker-no-process-sandbox"] : [])];
  const keepsState =
    options.claim !== undefined || options.memoryVolume !== undefined || options.rootless;
  const mounts = [
    ...(keepsState ? [{ name: "buildkit-state", mountPath: stateDirectory[way] }] : []),
    ...(Object.keys(node.files).length > 0
      ? [{ name: "config", mountPath: configDirectory[way] }]
      : []),
  ];
  const { requests, limits } = options;
  return {
    name: daemonContainer,
    image: options.image,
    ...(args.length > 0 ? { args } : {}),
    ...(options.env.length > 0 ? { env: options.env } : {}),
    ...(mounts.length > 0 ? { volumeMounts: mounts } : {}),
    readinessProbe: { exec: { command: ["buildctl", "debug", "workers"] } },
    securityContext: options.rootless
      ? {
          runAsUser: 1000,
          runAsGroup: 1000,
          seccompProfile: { type: "Unconfined" },
          appArmorProfile: { type: "Unconfined" },
        }
      : { privileged: true },
    resources: {
      ...(Object.keys(requests).length > 0 ? { requests } : {}),
      ...(Object.keys(limits).length > 0 ? { limits } : {}),
    },
  };
}

function emulators(image: string): KubernetesObject {
  return { name: "qemu", image, args: ["--install", "all"], securityContext: { privileged: true } };
}

function stateVolume({
  claim,
  memoryVolume,
  rootless,
}: KubernetesOptions): readonly KubernetesObject[] {
  if (claim !== undefined) return [];
  if (memoryVolume !== undefined)
    return [{ name: "buildkit-state", emptyDir: { medium: "Memory", sizeLimit: memoryVolume } }];
  return rootless ? [{ name: "buildkit-state", emptyDir: {} }] : [];
}

function configName(name: string): string {
  return `${name}-config`;
}

/** Keys of a ConfigMap cannot have slashes: paths are restored by the volume. */
function configKey(path: string): string {
  return path.replaceAll("/", "__");
}

function configVolume(name: string, { files }: NodeRecord): KubernetesObject {
  const items = Object.keys(files).map((path) => ({ key: configKey(path), path }));
  return { name: "config", configMap: { name: configName(name), items } };
}

function configObject(
  name: string,
  { files }: NodeRecord,
  options: KubernetesOptions,
): KubernetesObject | undefined {
  if (Object.keys(files).length === 0) return undefined;
  const data = Object.entries(files).map(([path, bytes]) => [
    configKey(path),
    Buffer.from(bytes).toString("base64"),
  ]);
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: metadata(configName(name), options),
    binaryData: Object.fromEntries(data),
  };
}
