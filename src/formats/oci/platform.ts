// Platform names: reading, writing and normalising `os[(version+features)]/architecture[/variant]` as containerd does.
import { closest, KilnError } from "../../base/index.ts";
import type { Platform } from "./types.ts";

const component = /^[A-Za-z0-9_.-]+$/;
const osComponent = /^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.%-]*)((?:\+[A-Za-z0-9_.%-]+)*)\))?$/;
const maxSpecifierLength = 1024;

// Go's lists of GOOS and GOARCH: what a single word may stand for.
const knownSystems = new Set(
  "aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos".split(
    " ",
  ),
);
const knownArchitectures = new Set(
  (
    "386 amd64 amd64p32 arm armbe arm64 arm64be ppc64 ppc64le loong64 mips mipsle mips64 mips64le mips64p32 " +
    "mips64p32le ppc riscv riscv64 s390 s390x sparc sparc64 wasm"
  ).split(" "),
);

const nodeArchitectures: Readonly<Record<string, string>> = {
  x64: "amd64",
  ia32: "386",
  mipsel: "mipsle",
  // Node has no big-endian Linux build for this name.
  ppc64: "ppc64le",
};

/** The Linux platform of a machine, from Node's `process.arch`: no host facts are looked up here. */
export function hostPlatform(nodeArchitecture: string): Platform {
  const architecture = nodeArchitectures[nodeArchitecture] ?? nodeArchitecture;
  return normalizePlatform({ os: "linux", architecture });
}

/**
 * Reads one platform as a user writes it: `linux/arm/v7`, `arm64`, `windows(10.0.17763+win32k)/amd64`, `local`. What is
 * left out is taken from `host`. Spelling is normalised (`x86_64`, `armhf`), but a variant that is a default and was not
 * written is not added: see `normalizePlatform`. Throws `PLATFORM_INVALID`.
 */
export function parsePlatform(specifier: string, host: Platform): Platform {
  if (specifier === "local") return host;
  if (specifier.length > maxSpecifierLength) throw invalid(specifier.slice(0, 60), "is too long");
  const [first = "", ...rest] = specifier.split("/");
  const system = parseSystem(first, specifier);
  const bad = rest.find((part) => !component.test(part));
  if (bad !== undefined) throw invalid(specifier, `has the invalid part "${bad}"`);
  const [architecture, variant, ...more] = rest;
  if (more.length > 0) throw invalid(specifier, "has too many parts");
  if (architecture === undefined) return parseWord(first, system, host, specifier);
  const known = normalizeArchitecture(architecture, variant ?? "");
  if (variant === undefined) return platform(system, known.architecture, impliedVariant(known));
  const kept = known.architecture === "arm64" && known.variant === "" ? "v8" : known.variant;
  return platform(system, known.architecture, kept);
}

/**
 * Reads the value of a `--platform` flag: a list separated by commas, normalised, each platform once, in the order
 * given. Throws `PLATFORM_INVALID`.
 */
export function parsePlatformList(list: string, host: Platform): readonly Platform[] {
  const found = new Map<string, Platform>();
  for (const part of list.split(",")) {
    const one = normalizePlatform(parsePlatform(part.trim(), host));
    found.set(formatPlatformFully(one), one);
  }
  return [...found.values()];
}

/** `linux/arm/v7`: without version and features. `unknown` when there is no operating system. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  if (os === "") return "unknown";
  return [os, architecture, variant].filter(Boolean).join("/");
}

/** As `formatPlatform`, with version and sorted features: `windows(10.0.17763+win32k)/amd64`. */
export function formatPlatformFully(one: Platform): string {
  if (one.os === "") return "unknown";
  const features = [...new Set(one.osFeatures ?? [])]
    .filter((feature) => feature !== "")
    .sort(byBytes);
  const options =
    escapeOption(one.osVersion ?? "") +
    features.map((feature) => `+${escapeOption(feature)}`).join("");
  return formatPlatform(options === "" ? one : { ...one, os: `${one.os}(${options})` });
}

/**
 * The canonical form: lower case, known aliases resolved, default variants left out (`amd64/v1`, `arm64/v8`) except
 * `arm/v7`, which is written out; features sorted, each once. An empty operating system means Linux.
 */
export function normalizePlatform(one: Platform): Platform {
  const { architecture, variant } = normalizeArchitecture(one.architecture, one.variant ?? "");
  const features = [...new Set(one.osFeatures ?? [])].sort(byBytes);
  return platform(
    { os: normalizeSystem(one.os), version: one.osVersion ?? "", features },
    architecture,
    variant,
  );
}

/** True when both name the same platform once normalised. */
export function samePlatform(a: Platform, b: Platform): boolean {
  return formatPlatformFully(normalizePlatform(a)) === formatPlatformFully(normalizePlatform(b));
}

interface System {
  readonly os: string;
  readonly version: string;
  readonly features: readonly string[];
}

interface Processor {
  readonly architecture: string;
  readonly variant: string;
}

function parseSystem(part: string, specifier: string): System {
  const match = osComponent.exec(part);
  if (!match) throw invalid(specifier, `has the invalid operating system "${part}"`);
  const [, os = "", version = "", features = ""] = match;
  return {
    os: normalizeSystem(os),
    version: unescapeOption(version, specifier),
    features: features
      .split("+")
      .slice(1)
      .map((feature) => unescapeOption(feature, specifier)),
  };
}

/** A single word is an operating system, else an architecture; unlike in longer forms it must be a known one. */
function parseWord(word: string, system: System, host: Platform, specifier: string): Platform {
  if (knownSystems.has(system.os)) return platform(system, host.architecture, hostVariant(host));
  const known = normalizeArchitecture(word, "");
  if (!knownArchitectures.has(known.architecture)) {
    const near = closest(word, [...knownSystems, ...knownArchitectures]);
    throw invalid(specifier, "is neither an operating system nor an architecture", near);
  }
  return platform({ ...system, os: host.os }, known.architecture, impliedVariant(known));
}

/** arm means v7, which stays unwritten unless the user wrote it. */
function impliedVariant({ architecture, variant }: Processor): string {
  return architecture === "arm" && variant === "v7" ? "" : variant;
}

function hostVariant(host: Platform): string {
  return impliedVariant({ architecture: host.architecture, variant: host.variant ?? "" });
}

function normalizeSystem(os: string): string {
  const lower = os.toLowerCase();
  if (lower === "") return "linux";
  return lower === "macos" ? "darwin" : lower;
}

// BuildKit: containerd/platforms, database.go normalizeArch
function normalizeArchitecture(architecture: string, variant: string): Processor {
  const name = architecture.toLowerCase();
  const level = variant.toLowerCase();
  switch (name) {
    case "i386":
      return { architecture: "386", variant: "" };
    case "x86_64":
    case "x86-64":
    case "amd64":
      return { architecture: "amd64", variant: level === "v1" ? "" : level };
    case "aarch64":
    case "arm64":
      return { architecture: "arm64", variant: arm64Levels[level] ?? level };
    case "armhf":
      return { architecture: "arm", variant: "v7" };
    case "armel":
      return { architecture: "arm", variant: "v6" };
    case "arm":
      return { architecture: "arm", variant: armLevels[level] ?? level };
    default:
      return { architecture: name, variant: level };
  }
}

const arm64Levels: Readonly<Record<string, string>> = {
  "8": "",
  v8: "",
  "v8.0": "",
  "9": "v9",
  "9.0": "v9",
  "v9.0": "v9",
};
const armLevels: Readonly<Record<string, string>> = {
  "": "v7",
  "5": "v5",
  "6": "v6",
  "7": "v7",
  "8": "v8",
};

function platform(system: System, architecture: string, variant: string): Platform {
  return {
    os: system.os,
    architecture,
    ...(variant === "" ? {} : { variant }),
    ...(system.version === "" ? {} : { osVersion: system.version }),
    ...(system.features.length === 0 ? {} : { osFeatures: system.features }),
  };
}

function escapeOption(text: string): string {
  return text.replace(/[%+()/]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function unescapeOption(text: string, specifier: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(specifier, `has the badly escaped option "${text}"`);
  }
}

function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function invalid(specifier: string, why: string, near?: string): KilnError {
  const hint =
    "Write a platform as os/architecture[/variant], for example linux/arm64 or linux/arm/v7.";
  return new KilnError("PLATFORM_INVALID", `platform ${JSON.stringify(specifier)} ${why}`, {
    hint: near === undefined ? hint : `Did you mean "${near}"?`,
  });
}
