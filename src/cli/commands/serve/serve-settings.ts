// From flags and buildkitd.toml to what the daemon is to be: flags win.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { KilnError } from "../../../base/index.ts";
import type { EngineOptions } from "../../../engine/engine.ts";
import type { GcOptions } from "../../../engine/retention/index.ts";
import { hostPlatform, type Platform, parsePlatform } from "../../../formats/oci/index.ts";
import { type Address, parseAddress } from "../../../remote/daemon/index.ts";
import type { DaemonTables, KilnConfig } from "../../config/index.ts";
import type { Flags } from "../../flags/index.ts";
import { readEntitlements } from "../builders/builder.ts";
import type { RunWorld } from "../command.ts";
import type { serveFlags } from "./serve-flags.ts";
import { type LogLevel, readLogLevel } from "./serve-log.ts";
import { notesOf } from "./serve-notes.ts";

type ServeFlags = Flags<typeof serveFlags>;

export interface DaemonSettings {
  readonly addresses: readonly Address[];
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
  /** Reads the certificate's files again. */
  readonly renewTls?: () => NonNullable<DaemonSettings["tls"]>;
  readonly uid?: number;
  readonly gid?: number;
  /** Host and port, where figures are told. */
  readonly debugAddress?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly engine: Partial<
    Pick<
      EngineOptions,
      | "cdi"
      | "dns"
      | "entitlements"
      | "gc"
      | "frontends"
      | "gatewaySources"
      | "history"
      | "jobs"
      | "network"
      | "platforms"
      | "proxyNetwork"
      | "runtime"
      | "snapshotter"
    >
  >;
  readonly logFormat: "text" | "json";
  readonly logLevel: LogLevel;
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
  const debugAddress =
    values.debugaddr || world.env["BUILDKITD_DEBUGADDR"] || tables.grpc.debugAddress;
  const tls = readTls(values, tables, world.cwd);
  const gid = values.group === "" ? tables.grpc.gid : groupId(values.group);
  const format = values["log-format"] || tables.log.format || "text";
  if (format !== "text" && format !== "json")
    throw new KilnError("FLAG_INVALID", `--log-format must be text or json, not ${format}`);
  return {
    addresses: addressesOf(values.addr, tables, world).map(parseAddress),
    ...(tls ? { tls, renewTls: () => readTls(values, tables, world.cwd) ?? tls } : {}),
    ...(tables.grpc.uid === undefined ? {} : { uid: tables.grpc.uid }),
    ...(gid === undefined ? {} : { gid }),
    ...(debugAddress ? { debugAddress } : {}),
    labels: { ...tables.worker.labels, ...labelsOf(values["oci-worker-labels"]) },
    engine: engineOptions(flags, tables, config, world.env),
    logFormat: format,
    logLevel: levelOf(values, tables, world.globals.debug),
    notes: notesOf(values, tables),
  };
}

type Values = ServeFlags["values"];

/** What asks for more wins. */
function levelOf(values: Values, tables: DaemonTables, debug: boolean): LogLevel {
  if (values.trace || tables.trace) return "trace";
  if (debug || values["debug-log"] || tables.debug) return "debug";
  return readLogLevel(values["log-level"] || tables.log.level || "info");
}

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

/** BUILDKIT_STEP_LOG_MAX_SIZE: bytes of a step's output that clients are told, or -1 for all of it. */
function stepLogLimit(env: RunWorld["env"]): { readonly stepLogLimit?: number } {
  const text = env["BUILDKIT_STEP_LOG_MAX_SIZE"] ?? "";
  if (text === "-1") return { stepLogLimit: Number.POSITIVE_INFINITY };
  return /^\d{1,15}$/.test(text) ? { stepLogLimit: Number(text) } : {};
}

function engineOptions(
  { values, given }: ServeFlags,
  tables: DaemonTables,
  { gc, lent }: KilnConfig,
  env: RunWorld["env"],
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
  const network = networkOf(values, tables);
  const platforms = platformsOf(values, tables);
  return {
    entitlements: readEntitlements(allowed),
    cdi: {
      ...lent.cdi,
      ...(values["cdi-disabled"] ? { disabled: true } : {}),
      ...(values["cdi-spec-dir"].length > 0 ? { specDirs: values["cdi-spec-dir"] } : {}),
    },
    history: { ...tables.history, ...stepLogLimit(env) },
    frontends: [
      ...(tables.dockerfile.enabled === false ? [] : (["dockerfile.v0"] as const)),
      ...(tables.gateway.enabled === false ? [] : (["gateway.v0"] as const)),
    ],
    ...(tables.gateway.allowedRepositories
      ? { gatewaySources: tables.gateway.allowedRepositories }
      : {}),
    proxyNetwork: values["proxy-network"] || lent.proxyNetwork === true,
    ...(network === undefined ? {} : { network }),
    ...(platforms.length > 0 ? { platforms } : {}),
    ...(tables.dns === undefined ? {} : { dns: tables.dns }),
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

/** Megabytes: kept at least, left free, used at most. */
function keepStorage(text: string): GcOptions {
  if (text === "") return {};
  const parts = text.split(",");
  if (parts.length > 3 || !parts.every((part) => /^\d{1,12}$/.test(part)))
    throw new KilnError(
      "FLAG_INVALID",
      `--oci-worker-gc-keepstorage must be megabytes, not ${text}`,
    );
  const [reserved, free, used] = parts.map((part) => ({ bytes: Number(part) * 1e6 }));
  return {
    ...(reserved ? { reservedSpace: reserved } : {}),
    ...(used ? { maxUsedSpace: used } : {}),
    ...(free ? { minFreeSpace: free } : {}),
  };
}

/** `bridge` is a network of the step's own, as `auto` gives where it can. */
const networks = { auto: undefined, bridge: "sandbox", host: "host" } as const;

function networkOf(values: Values, tables: DaemonTables): EngineOptions["network"] {
  const given = values["oci-worker-net"];
  const name = given === "auto" ? (tables.worker.networkMode ?? "auto") : given;
  if (Object.hasOwn(networks, name)) return networks[name as keyof typeof networks];
  throw new KilnError("UNSUPPORTED", `there is no network mode ${JSON.stringify(name)}`, {
    hint: "Use --oci-worker-net=bridge: every step gets a network of its own.",
  });
}

/** None where nobody named any. */
function platformsOf(values: Values, tables: DaemonTables): readonly Platform[] {
  const given = values["oci-worker-platform"];
  const named = given.length > 0 ? given : (tables.worker.platforms ?? []);
  return named.map((text) => parsePlatform(text, hostPlatform(process.arch)));
}
