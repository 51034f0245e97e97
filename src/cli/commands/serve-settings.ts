// From flags and buildkitd.toml to what the daemon is to be: flags win.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { KilnError } from "../../base/index.ts";
import type { EngineOptions } from "../../engine/engine.ts";
import type { GcOptions } from "../../engine/retention/index.ts";
import { hostPlatform, type Platform, parsePlatform } from "../../formats/oci/index.ts";
import { type Address, parseAddress } from "../../remote/daemon/index.ts";
import type { DaemonTables, KilnConfig } from "../config/index.ts";
import type { Flags } from "../flags/index.ts";
import type { RunWorld } from "./command.ts";
import type { serveFlags } from "./serve-flags.ts";

type ServeFlags = Flags<typeof serveFlags>;

export interface DaemonSettings {
  readonly addresses: readonly Address[];
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
  readonly uid?: number;
  readonly gid?: number;
  readonly platforms?: readonly Platform[];
  readonly labels: Readonly<Record<string, string>>;
  readonly engine: Partial<
    Pick<EngineOptions, "entitlements" | "history" | "jobs" | "runtime" | "gc" | "snapshotter">
  >;
  readonly logFormat: "text" | "json";
  /** What is taken but has no effect, in words for the log. */
  readonly notes: readonly string[];
}

/** Throws `FLAG_INVALID`, `CONFIG_INVALID` or `UNSUPPORTED`. */
export function daemonSettings(
  flags: ServeFlags,
  config: KilnConfig,
  world: RunWorld,
): DaemonSettings {
  const { values } = flags;
  const tables = config.daemon();
  refuseWorkers(values, tables);
  const platforms = values["oci-worker-platform"];
  const named = platforms.length > 0 ? platforms : tables.worker.platforms;
  const tls = readTls(values, tables, world.cwd);
  const gid = values.group === "" ? tables.grpc.gid : groupId(values.group);
  const format = values["log-format"] || tables.log.format || "text";
  if (format !== "text" && format !== "json")
    throw new KilnError("FLAG_INVALID", `--log-format must be text or json, not ${format}`);
  return {
    addresses: addressesOf(values.addr, tables, world).map(parseAddress),
    ...(tls ? { tls } : {}),
    ...(tables.grpc.uid === undefined ? {} : { uid: tables.grpc.uid }),
    ...(gid === undefined ? {} : { gid }),
    ...(named
      ? { platforms: named.map((text) => parsePlatform(text, hostPlatform(process.arch))) }
      : {}),
    labels: { ...tables.worker.labels, ...labelsOf(values["oci-worker-labels"]) },
    engine: engineOptions(flags, tables, config.gc),
    logFormat: format,
    notes: notesOf(values, tables),
  };
}

type Values = ServeFlags["values"];

function refuseWorkers(values: Values, tables: DaemonTables): void {
  const oci = values["oci-worker"];
  if (oci === "false" || tables.worker.enabled === false) {
    throw new KilnError("UNSUPPORTED", "the OCI worker cannot be disabled: it is the only one", {
      hint: "Leave --oci-worker=false away.",
    });
  }
  if (values["containerd-worker"] === "true" || tables.wantsContainerd) {
    throw new KilnError("UNSUPPORTED", "there is no containerd worker", {
      hint: "Leave --containerd-worker away: images are built and kept by the daemon itself.",
    });
  }
}

function addressesOf(
  given: readonly string[],
  tables: DaemonTables,
  { env }: RunWorld,
): readonly string[] {
  if (given.length > 0) return given;
  if (tables.grpc.address && tables.grpc.address.length > 0) return tables.grpc.address;
  const runtime = env["XDG_RUNTIME_DIR"];
  const rootless = process.geteuid?.() !== 0 || env["KILN_ENTERED"] !== undefined;
  return [`unix://${rootless && runtime ? runtime : "/run"}/buildkit/buildkitd.sock`];
}

function readTls(values: Values, tables: DaemonTables, cwd: string): DaemonSettings["tls"] {
  const from = (flag: string, file: string | undefined) =>
    flag === "" ? file : resolve(cwd, flag);
  const cert = from(values.tlscert, tables.grpc.tls?.cert);
  const key = from(values.tlskey, tables.grpc.tls?.key);
  const ca = from(values.tlscacert, tables.grpc.tls?.ca);
  if (cert === undefined && key === undefined && ca === undefined) return undefined;
  if (cert === undefined || key === undefined)
    throw new KilnError("FLAG_INVALID", "TLS needs both --tlscert and --tlskey");
  return {
    cert: readText("--tlscert", cert),
    key: readText("--tlskey", key),
    ...(ca === undefined ? {} : { ca: readText("--tlscacert", ca) }),
  };
}

function readText(flag: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new KilnError("FLAG_INVALID", `${flag}: cannot read ${path}`, { cause });
  }
}

/** A number, or a name of /etc/group. */
function groupId(group: string): number {
  if (/^\d+$/.test(group)) return Number(group);
  const line = readText("--group", "/etc/group")
    .split("\n")
    .map((one) => one.split(":"))
    .find(([name]) => name === group);
  const id = Number(line?.[2] ?? Number.NaN);
  if (Number.isSafeInteger(id)) return id;
  throw new KilnError("FLAG_INVALID", `--group: there is no group ${JSON.stringify(group)}`);
}

function labelsOf(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf("=");
      if (at < 1)
        throw new KilnError("FLAG_INVALID", `--oci-worker-labels: ${text} is not name=value`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

const entitlements = ["network.host", "security.insecure", "device"] as const;

function engineOptions(
  { values, given }: ServeFlags,
  tables: DaemonTables,
  gc: GcOptions,
): DaemonSettings["engine"] {
  const allowed = given("allow-insecure-entitlement")
    ? values["allow-insecure-entitlement"]
    : (tables.entitlements ?? []);
  const jobs = jobsOf(values["oci-max-parallelism"], tables);
  const snapshotter = snapshotterOf(
    given("oci-worker-snapshotter")
      ? values["oci-worker-snapshotter"]
      : (tables.worker.snapshotter ?? "auto"),
  );
  const runtime = values["oci-worker-binary"] || tables.worker.binary;
  return {
    entitlements: allowed.map((name) => {
      const found = entitlements.find((one) => one === name);
      if (found) return found;
      throw new KilnError("FLAG_INVALID", `there is no entitlement ${JSON.stringify(name)}`, {
        hint: `Entitlements are ${entitlements.join(", ")}.`,
      });
    }),
    history: tables.history,
    gc: {
      ...gc,
      ...keepStorage(values["oci-worker-gc-keepstorage"]),
      ...(values["oci-worker-gc"] ? {} : { enabled: false }),
    },
    ...(jobs === undefined ? {} : { jobs }),
    ...(runtime ? { runtime } : {}),
    ...(snapshotter === undefined ? {} : { snapshotter }),
  };
}

function jobsOf(text: string, { worker }: DaemonTables): number | undefined {
  if (text === "") return worker.maxParallelism || undefined;
  if (text === "num-cpu") return availableParallelism();
  if (/^\d{1,6}$/.test(text)) return Number(text) || undefined;
  throw new KilnError("FLAG_INVALID", `--oci-max-parallelism must be a number, not ${text}`);
}

const snapshotters = {
  auto: undefined,
  overlayfs: "overlay",
  "fuse-overlayfs": "fuse",
  native: "copy",
} as const;

function snapshotterOf(name: string): EngineOptions["snapshotter"] {
  if (Object.hasOwn(snapshotters, name)) return snapshotters[name as keyof typeof snapshotters];
  throw new KilnError("UNSUPPORTED", `there is no snapshotter ${JSON.stringify(name)}`, {
    hint: `Snapshotters are ${Object.keys(snapshotters).join(", ")}.`,
  });
}

/** Megabytes: kept at least, used at most, left free. */
function keepStorage(text: string): GcOptions {
  if (text === "") return {};
  const parts = text.split(",");
  if (parts.length > 3 || !parts.every((part) => /^\d{1,12}$/.test(part)))
    throw new KilnError(
      "FLAG_INVALID",
      `--oci-worker-gc-keepstorage must be megabytes, not ${text}`,
    );
  const [reserved, used, free] = parts.map((part) => ({ bytes: Number(part) * 1e6 }));
  return {
    ...(reserved ? { reservedSpace: reserved } : {}),
    ...(used ? { maxUsedSpace: used } : {}),
    ...(free ? { minFreeSpace: free } : {}),
  };
}

function notesOf(values: Values, tables: DaemonTables): string[] {
  const net =
    values["oci-worker-net"] === "auto" ? tables.worker.networkMode : values["oci-worker-net"];
  if (net === "cni") {
    throw new KilnError("UNSUPPORTED", "CNI networks are not supported", {
      hint: "Use --oci-worker-net=bridge: every step gets a network of its own.",
    });
  }
  return [
    ...(net === "host"
      ? ["network mode host is left to steps that ask for it (RUN --network=host)"]
      : []),
    ...(values.debugaddr || tables.grpc.debugAddress
      ? ["nothing is served on the debugging address"]
      : []),
  ];
}
