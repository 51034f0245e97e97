// Options of driver `kubernetes`.
import { parseDuration, readCsv } from "../../base/index.ts";
import type { NodeRecord } from "../store/index.ts";
import { boolOption, checkKeys, integerOption, invalidNode, withPrefix } from "./options.ts";

/** What is asked of the cluster for one node. */
export interface KubernetesOptions {
  readonly image: string;
  /** Undefined is the context's own. */
  readonly namespace: string | undefined;
  readonly replicas: number;
  readonly rootless: boolean;
  readonly scheduler: string | undefined;
  readonly serviceAccount: string | undefined;
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly tolerations: readonly Readonly<Record<string, string | number>>[];
  readonly loadBalance: "sticky" | "random";
  readonly requests: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, string>>;
  /** Size of the volume that keeps the state; undefined loses the state with the pod. */
  readonly claim: string | undefined;
  /** The emulators' image; undefined installs none. */
  readonly qemuImage: string | undefined;
  /** Size of a state directory in memory. */
  readonly memoryVolume: string | undefined;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly defaultLoad: boolean;
  /** Milliseconds that pods have for getting ready. */
  readonly timeout: number;
}

const claimKey = "persistent-volume-claim.requests.storage";
const resourceNames = ["cpu", "memory", "ephemeral-storage"] as const;

const known = [
  "image",
  "namespace",
  "replicas",
  ...resourceNames.map((name) => `requests.${name}`),
  claimKey,
  ...resourceNames.map((name) => `limits.${name}`),
  "rootless",
  "schedulername",
  "serviceaccount",
  "nodeselector",
  "annotations",
  "labels",
  "tolerations",
  "loadbalance",
  "qemu.install",
  "qemu.image",
  "buildkit-root-volume-memory",
  "default-load",
  "timeout",
] as const;

/** Throws `BUILDER_INVALID`. */
export function kubernetesOptions({ driverOpts }: NodeRecord): KubernetesOptions {
  checkKeys(driverOpts, known, ["env."], "kubernetes");
  const rootless = boolOption(driverOpts, "rootless", false);
  const install = boolOption(driverOpts, "qemu.install", false);
  const resources = (kind: "requests" | "limits") => withPrefix(driverOpts, `${kind}.`);
  return {
    image: driverOpts["image"] || `moby/buildkit:buildx-stable-1${rootless ? "-rootless" : ""}`,
    namespace: driverOpts["namespace"] || undefined,
    replicas: replicasOf(driverOpts),
    rootless,
    scheduler: driverOpts["schedulername"] || undefined,
    serviceAccount: driverOpts["serviceaccount"] || undefined,
    nodeSelector: pairs(driverOpts["nodeselector"], "node selector"),
    annotations: pairs(driverOpts["annotations"], "annotation"),
    labels: pairs(driverOpts["labels"], "label"),
    tolerations: tolerationsOf(driverOpts["tolerations"]),
    loadBalance: loadBalanceOf(driverOpts["loadbalance"]),
    requests: resources("requests"),
    limits: resources("limits"),
    claim: driverOpts[claimKey] || undefined,
    qemuImage: install ? driverOpts["qemu.image"] || "tonistiigi/binfmt:latest" : undefined,
    memoryVolume: driverOpts["buildkit-root-volume-memory"] || undefined,
    env: Object.entries(withPrefix(driverOpts, "env.")).map(([name, value]) => ({ name, value })),
    defaultLoad: boolOption(driverOpts, "default-load", false),
    timeout: timeoutOf(driverOpts["timeout"] ?? "120s"),
  };
}

function replicasOf(options: NodeRecord["driverOpts"]): number {
  const replicas = integerOption(options, "replicas") ?? 1;
  if (replicas < 1 || replicas > 1000) throw invalidNode(`invalid number of replicas: ${replicas}`);
  return replicas;
}

function timeoutOf(text: string): number {
  const timeout = parseDuration(text);
  if (timeout === undefined || timeout <= 0)
    throw invalidNode(`cannot parse timeout: time: invalid duration ${JSON.stringify(text)}`);
  return timeout;
}

function loadBalanceOf(text = "sticky"): "sticky" | "random" {
  if (text === "sticky" || text === "random") return text;
  throw invalidNode(`invalid loadbalance ${JSON.stringify(text)}`, "Write sticky or random.");
}

/** `a=b,c=d`. */
function pairs(text: string | undefined, what: string): Readonly<Record<string, string>> {
  const fields = readCsv((text ?? "").replace(/^"|"$/g, ""));
  return Object.fromEntries(
    fields.map((field) => {
      const at = field.indexOf("=");
      if (at < 1) throw invalidNode(`invalid ${what} ${JSON.stringify(field)}`, "Write KEY=VALUE.");
      return [field.slice(0, at), field.slice(at + 1)];
    }),
  );
}

const tolerationKeys = ["key", "operator", "value", "effect", "tolerationSeconds"];

/** `key=a,operator=Exists;key=b,value=c,effect=NoExecute,tolerationSeconds=60`. */
function tolerationsOf(
  text: string | undefined,
): readonly Readonly<Record<string, string | number>>[] {
  const each = (text ?? "").split(";").filter((one) => one.trim() !== "");
  return each.map((one) => {
    const toleration = pairs(one, "toleration");
    for (const key of Object.keys(toleration))
      if (!tolerationKeys.includes(key))
        throw invalidNode(`invalid toleration ${JSON.stringify(one)}`);
    const { tolerationSeconds: seconds, ...rest } = toleration;
    if (seconds === undefined) return rest;
    if (!/^\d+$/.test(seconds))
      throw invalidNode(`invalid tolerationSeconds ${JSON.stringify(seconds)}`);
    return { ...rest, tolerationSeconds: Number(seconds) };
  });
}
