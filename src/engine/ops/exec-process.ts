// What an exec op runs: its words, its environment, and what limits it.
import type { StepResources } from "../../api/index.ts";
import type { ExecOp } from "../../formats/llb/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import type { LentDevices, ProcessSpec } from "../executor/index.ts";

export const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What an op does not say itself. */
export interface AboutProcess {
  readonly platform: Platform;
  readonly lent: LentDevices | undefined;
  readonly resources: StepResources | undefined;
  /** Secrets that are variables, `NAME=value`. */
  readonly secrets: readonly string[];
}

export function processOf(
  op: ExecOp,
  { platform, lent, resources, secrets }: AboutProcess,
): ProcessSpec {
  const env = [...op.env, ...(lent?.env ?? []), ...proxyEnvironment(op), ...secrets];
  return {
    args: op.args,
    env: env.some((one) => one.startsWith("PATH=")) ? env : [defaultPath, ...env],
    cwd: op.cwd,
    ...(op.mounts.some(({ target, readonly }) => target === "/" && readonly)
      ? { readonlyRoot: true }
      : {}),
    platform,
    network: networkOf(op),
    security: op.security,
    ...(resources === undefined ? {} : { resources }),
    extraHosts: op.extraHosts,
    ulimits: op.ulimits,
    ...(lent ? { additionalGids: lent.additionalGids, hooks: lent.hooks } : {}),
    ...(op.user === "" ? {} : { user: op.user }),
    ...(op.hostname === "" ? {} : { hostname: op.hostname }),
    ...(op.cgroupParent === "" ? {} : { cgroupParent: op.cgroupParent }),
    ...(op.validExitCodes.length === 0 ? {} : { validExitCodes: op.validExitCodes }),
  };
}

export function networkOf({ network }: ExecOp): ProcessSpec["network"] {
  return network === "sandbox" ? "default" : network;
}

/** Both ways in which programs look for proxies. */
function proxyEnvironment(op: ExecOp): string[] {
  const proxy = op.proxyEnv;
  if (!proxy) return [];
  const values = {
    HTTP_PROXY: proxy.http,
    HTTPS_PROXY: proxy.https,
    FTP_PROXY: proxy.ftp,
    NO_PROXY: proxy.no,
    ALL_PROXY: proxy.all,
  };
  return Object.entries(values)
    .filter(([, value]) => value !== "")
    .flatMap(([name, value]) => [`${name}=${value}`, `${name.toLowerCase()}=${value}`]);
}
