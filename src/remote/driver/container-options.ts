// Options of driver `docker-container`, and the container they make.
import { KilnError, parseSize } from "../../base/index.ts";
import type { NodeRecord } from "../store/index.ts";
import { boolOption, checkKeys, integerOption, invalidNode, withPrefix } from "./options.ts";

/** What the daemon in the container is told and given. */
export interface ContainerOptions {
  readonly image: string;
  readonly network: string | undefined;
  readonly env: readonly string[];
  readonly restartPolicy: { readonly Name: string; readonly MaximumRetryCount?: number };
  readonly cgroupParent: string | undefined;
  readonly defaultLoad: boolean;
  /** HostConfig's limits, by their names there. */
  readonly limits: Readonly<Record<string, number | string>>;
}

/** The image that buildx runs, too, so that both find the other's containers as they expect. */
const defaultImage = "moby/buildkit:buildx-stable-1";

const known = [
  "image",
  "network",
  "memory",
  "memory-swap",
  "cpu-period",
  "cpu-quota",
  "cpu-shares",
  "cpuset-cpus",
  "cpuset-mems",
  "cgroup-parent",
  "restart-policy",
  "default-load",
  "provenance-add-gha",
  "allow-untrusted-image",
  "gpus",
] as const;

/** Throws `BUILDER_INVALID`. */
export function containerOptions({ driverOpts }: NodeRecord): ContainerOptions {
  checkKeys(driverOpts, known, ["env."], "docker-container");
  boolOption(driverOpts, "provenance-add-gha", true);
  return {
    image: driverOpts["image"] || defaultImage,
    network: driverOpts["network"],
    env: Object.entries(withPrefix(driverOpts, "env."))
      .map(([name, value]) => `${name}=${value}`)
      .sort(),
    restartPolicy: restartPolicy(driverOpts["restart-policy"] ?? "unless-stopped"),
    cgroupParent: driverOpts["cgroup-parent"],
    defaultLoad: boolOption(driverOpts, "default-load", false),
    limits: limitsOf(driverOpts),
  };
}

function limitsOf(options: NodeRecord["driverOpts"]): Record<string, number | string> {
  const limits: Record<string, number | string> = {};
  const memory = sizeOption(options["memory"]);
  if (memory !== undefined) limits["Memory"] = memory;
  const swap = options["memory-swap"] === "-1" ? -1 : sizeOption(options["memory-swap"]);
  if (swap !== undefined) limits["MemorySwap"] = swap;
  for (const [key, name] of [
    ["cpu-period", "CpuPeriod"],
    ["cpu-quota", "CpuQuota"],
    ["cpu-shares", "CpuShares"],
  ] as const) {
    const value = integerOption(options, key);
    if (value !== undefined) limits[name] = value;
  }
  if (options["cpuset-cpus"]) limits["CpusetCpus"] = options["cpuset-cpus"];
  if (options["cpuset-mems"]) limits["CpusetMems"] = options["cpuset-mems"];
  return limits;
}

function sizeOption(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const size = parseSize(text);
  if (size === undefined)
    throw invalidNode(`invalid size: '${text}'`, "Write a size such as 512m or 2g.");
  return size;
}

function restartPolicy(text: string): ContainerOptions["restartPolicy"] {
  const [name = "", count] = text.split(":");
  if (
    !["no", "always", "unless-stopped", "on-failure"].includes(name) ||
    (count !== undefined && !/^\d+$/.test(count))
  ) {
    throw invalidNode(
      `invalid restart policy ${text}`,
      "Write no, always, unless-stopped, on-failure or on-failure:COUNT.",
    );
  }
  if (count !== undefined && name !== "on-failure")
    throw new KilnError(
      "BUILDER_INVALID",
      `maximum retry count cannot be used with restart policy ${name}`,
    );
  return { Name: name, ...(count === undefined ? {} : { MaximumRetryCount: Number(count) }) };
}

/** Where the daemon keeps its state in the container. */
const stateDirectory = "/var/lib/buildkit";

/** The body of docker's "create a container". */
export function containerDocument(
  node: NodeRecord,
  options: ContainerOptions,
  host: { readonly cgroupDriver: string; readonly userns: boolean },
  volume: string,
): unknown {
  // systemd wants slices; elsewhere builders are gathered under one group, as the reference does.
  const parent =
    options.cgroupParent ?? (host.cgroupDriver === "cgroupfs" ? "/docker/buildx" : undefined);
  return {
    Image: options.image,
    Env: options.env,
    ...(node.flags.length > 0 ? { Cmd: node.flags } : {}),
    HostConfig: {
      Privileged: true,
      Init: true,
      RestartPolicy: options.restartPolicy,
      Mounts: [{ Type: "volume", Source: volume, Target: stateDirectory }],
      ...options.limits,
      ...(options.network === undefined ? {} : { NetworkMode: options.network }),
      ...(parent === undefined ? {} : { CgroupParent: parent }),
      ...(host.userns ? { UsernsMode: "host" } : {}),
    },
  };
}
