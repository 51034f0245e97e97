// What buildkitd.toml says of the daemon: where it listens, which worker it has, what it allows and remembers.
import { dirname, resolve } from "node:path";
import { isRecord, parseDuration } from "../../base/index.ts";
import { type ConfigText, configInvalid, lineOfKey, unknownKey } from "./config-text.ts";

/** All of it is optional; flags win over it. */
export interface DaemonTables {
  readonly debug?: boolean;
  readonly trace?: boolean;
  readonly entitlements?: readonly string[];
  readonly log: { readonly format?: string; readonly level?: string };
  readonly grpc: {
    readonly address?: readonly string[];
    readonly debugAddress?: string;
    readonly uid?: number;
    readonly gid?: number;
    /** It says who may open a named pipe. */
    readonly securityDescriptor?: boolean;
    /** Absolute paths. */
    readonly tls?: { readonly cert?: string; readonly key?: string; readonly ca?: string };
  };
  readonly dockerfile: { readonly enabled?: boolean };
  /** Whose frontends may run in containers, by repository; all where absent. */
  readonly gateway: {
    readonly enabled?: boolean;
    readonly allowedRepositories?: readonly string[];
  };
  /** Milliseconds and a number of records. */
  readonly history: { readonly maxAge?: number; readonly maxEntries?: number };
  readonly worker: {
    readonly enabled?: boolean;
    readonly platforms?: readonly string[];
    readonly labels: Readonly<Record<string, string>>;
    readonly snapshotter?: string;
    readonly networkMode?: string;
    readonly binary?: string;
    readonly maxParallelism?: number;
    readonly rootless?: boolean;
    readonly noProcessSandbox?: boolean;
    readonly apparmor?: string;
    readonly selinux?: boolean;
    /** Keys that are given and mean nothing here. */
    readonly unused: readonly string[];
  };
  /** Of steps, in the place of the machine's. */
  readonly dns?: {
    readonly nameservers: readonly string[];
    readonly options: readonly string[];
    readonly searchDomains: readonly string[];
  };
  readonly otelSocket?: string;
  /** `[worker.containerd] enabled = true`: there is no such worker. */
  readonly wantsContainerd: boolean;
}

/** Of the worker: what is the reference's and has no counterpart here. */
const unusedKeys: readonly string[] = [
  "cniConfigPath",
  "cniBinaryPath",
  "cniPoolSize",
  "bridgeName",
  "bridgeSubnet",
  "proxySnapshotterPath",
  "defaultCgroupParent",
  "stargzSnapshotter",
];

/** Keys of each table; what is not used here is still no mistake. */
const known: Readonly<Record<string, readonly string[]>> = {
  log: ["format", "level"],
  grpc: ["address", "debugAddress", "uid", "gid", "securityDescriptor", "tls"],
  "grpc.tls": ["cert", "key", "ca"],
  otel: ["socketPath"],
  cdi: ["disabled", "specDirs", "autoAllowed"],
  history: ["maxAge", "maxEntries"],
  frontend: ["dockerfile.v0", "gateway.v0"],
  "frontend.dockerfile.v0": ["enabled"],
  "frontend.gateway.v0": ["enabled", "allowedRepositories"],
  dns: ["nameservers", "options", "searchDomains"],
  system: ["platformsCacheMaxAge", "maxRegistryConcurrency"],
  worker: ["oci", "containerd"],
  "worker.oci": [
    "enabled",
    "platforms",
    "labels",
    "snapshotter",
    "rootless",
    "noProcessSandbox",
    "gc",
    "reservedSpace",
    "maxUsedSpace",
    "minFreeSpace",
    "gckeepstorage",
    "gcpolicy",
    "networkMode",
    "binary",
    "apparmor-profile",
    "selinux",
    "max-parallelism",
    ...unusedKeys,
  ],
};

/** Throws `CONFIG_INVALID` for unknown keys and for values of the wrong type, with the line. */
export function readDaemonTables(
  document: Readonly<Record<string, unknown>>,
  config: ConfigText,
): DaemonTables {
  const top = new Table("", document, config);
  const grpc = top.table("grpc");
  const tls = grpc.table("tls");
  const worker = top.table("worker");
  const oci = worker.table("oci");
  for (const name of ["cdi", "system"]) top.table(name);
  const frontend = top.table("frontend");
  const dockerfile = frontend.table("dockerfile.v0");
  const gateway = frontend.table("gateway.v0");
  const history = top.table("history");
  const log = top.table("log");
  const file = (name: string) => {
    const path = tls.string(name);
    return path === undefined ? {} : { [name]: resolve(dirname(config.file), path) };
  };
  return defined({
    debug: top.boolean("debug"),
    trace: top.boolean("trace"),
    entitlements: top.strings("insecure-entitlements"),
    log: defined({ format: log.string("format"), level: log.string("level") }),
    grpc: defined({
      address: grpc.strings("address"),
      debugAddress: grpc.string("debugAddress"),
      uid: grpc.number("uid"),
      gid: grpc.number("gid"),
      securityDescriptor: grpc.string("securityDescriptor") ? true : undefined,
      tls: { ...file("cert"), ...file("key"), ...file("ca") },
    }),
    dockerfile: defined({ enabled: dockerfile.boolean("enabled") }),
    gateway: defined({
      enabled: gateway.boolean("enabled"),
      allowedRepositories: gateway.strings("allowedRepositories"),
    }),
    history: defined({
      maxAge: history.duration("maxAge"),
      maxEntries: history.number("maxEntries"),
    }),
    worker: defined({
      enabled: oci.auto("enabled"),
      platforms: oci.strings("platforms"),
      labels: oci.labels("labels"),
      snapshotter: oci.string("snapshotter"),
      networkMode: oci.string("networkMode"),
      binary: oci.string("binary"),
      maxParallelism: oci.number("max-parallelism"),
      rootless: oci.boolean("rootless"),
      noProcessSandbox: oci.boolean("noProcessSandbox"),
      apparmor: oci.string("apparmor-profile"),
      selinux: oci.boolean("selinux"),
      unused: oci.given(unusedKeys),
    }),
    dns: dnsOf(top.table("dns"), document["dns"] !== undefined),
    otelSocket: top.table("otel").string("socketPath"),
    wantsContainerd: worker.table("containerd").auto("enabled") === true,
  }) as unknown as DaemonTables;
}

/** What steps may be lent beyond the sandbox, by daemons and single builds alike. */
export interface LentByConfig {
  /** `insecure-entitlements`: where present, no others can be asked for. */
  readonly entitlements?: readonly string[];
  /** `proxyNetwork`: steps reach servers through a proxy alone. */
  readonly proxyNetwork?: boolean;
  /** `[cdi]`, with absolute directories. */
  readonly cdi?: {
    readonly disabled?: boolean;
    readonly specDirs?: readonly string[];
    readonly autoAllowed?: readonly string[];
  };
}

/** Throws `CONFIG_INVALID`. */
export function readLent(
  { cdi, proxyNetwork, "insecure-entitlements": entitlements }: Readonly<Record<string, unknown>>,
  config: ConfigText,
): LentByConfig {
  const given = defined({ cdi, proxyNetwork, "insecure-entitlements": entitlements });
  const top = new Table("", given, config);
  const table = top.table("cdi");
  const dirs = table.strings("specDirs")?.map((path) => resolve(dirname(config.file), path));
  return defined({
    entitlements: top.strings("insecure-entitlements"),
    proxyNetwork: top.boolean("proxyNetwork"),
    ...(cdi === undefined
      ? {}
      : {
          cdi: defined({
            disabled: table.boolean("disabled"),
            specDirs: dirs,
            autoAllowed: table.strings("autoAllowed"),
          }),
        }),
  });
}

function dnsOf(dns: Table, given: boolean): DaemonTables["dns"] {
  if (!given) return undefined;
  return {
    nameservers: dns.strings("nameservers") ?? [],
    options: dns.strings("options") ?? [],
    searchDomains: dns.strings("searchDomains") ?? [],
  };
}

/** Members that have a value. */
function defined(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/** One table with the means to complain about it. */
class Table {
  readonly #name: string;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #config: ConfigText;

  constructor(name: string, values: Readonly<Record<string, unknown>>, config: ConfigText) {
    this.#name = name;
    this.#values = values;
    this.#config = config;
    const keys = known[name];
    const unknown = keys && Object.keys(values).find((key) => !keys.includes(key));
    if (keys && unknown !== undefined) throw this.#fail(unknown, unknownKey(unknown, keys));
  }

  table(key: string): Table {
    const value = this.#values[key] ?? {};
    if (!isRecord(value)) throw this.#fail(key, `${this.#path(key)} must be a table`);
    return new Table(this.#path(key), value, this.#config);
  }

  string(key: string): string | undefined {
    return this.#read(key, (value) => typeof value === "string", "a string");
  }

  boolean(key: string): boolean | undefined {
    return this.#read(key, (value) => typeof value === "boolean", "true or false");
  }

  number(key: string): number | undefined {
    const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
    return this.#read(key, isCount, "a number that is not negative");
  }

  strings(key: string): readonly string[] | undefined {
    const isList = (value: unknown) =>
      Array.isArray(value) && value.every((one) => typeof one === "string");
    return this.#read(key, isList, "a list of strings");
  }

  /** Those of `keys` that have a value. */
  given(keys: readonly string[]): readonly string[] {
    return keys.filter((key) => this.#values[key] !== undefined);
  }

  /** True, false, or left to the daemon. */
  auto(key: string): boolean | undefined {
    return this.#values[key] === "auto" ? undefined : this.boolean(key);
  }

  labels(key: string): Readonly<Record<string, string>> {
    const isLabels = (value: unknown) =>
      isRecord(value) && Object.values(value).every((one) => typeof one === "string");
    return this.#read(key, isLabels, "a table of strings") ?? {};
  }

  /** Seconds, or a duration such as "48h"; in milliseconds. */
  duration(key: string): number | undefined {
    const value = this.#values[key];
    if (typeof value !== "string") {
      const seconds = this.number(key);
      return seconds === undefined ? undefined : seconds * 1000;
    }
    const parsed = parseDuration(value);
    if (parsed === undefined) throw this.#fail(key, `${this.#path(key)} must be a duration`);
    return parsed;
  }

  #read<T>(key: string, fits: (value: unknown) => boolean, what: string): T | undefined {
    const value = this.#values[key];
    if (value === undefined) return undefined;
    if (!fits(value)) throw this.#fail(key, `${this.#path(key)} must be ${what}`);
    return value as T;
  }

  #path(key: string): string {
    return this.#name === "" ? key : `${this.#name}.${key}`;
  }

  #fail(key: string, why: string): Error {
    return configInvalid(this.#config, lineOfKey(this.#config.text, undefined, key), why);
  }
}
