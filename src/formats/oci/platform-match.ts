// Which platforms can stand in for which, and in what order they are preferred, as containerd decides it.
import { formatPlatform, normalizePlatform } from "./platform.ts";
import type { Descriptor, Platform } from "./types.ts";

/** Says which platforms will do, and which of two will do better. */
export interface PlatformMatcher {
  matches(platform: Platform): boolean;
  /** Negative when `a` is to be preferred, positive when `b` is, 0 when they are as good as each other. For sorting. */
  compare(a: Platform, b: Platform): number;
}

/**
 * What a machine of this platform runs: itself first, then what its processor also understands, best first: `amd64/v3`
 * runs v2, v1 and 386; `arm/v7` runs v6 and v5; `arm64` runs 32-bit arm. Features offered must be among those wanted.
 */
export function matchPlatform(platform: Platform): PlatformMatcher {
  return matchInOrder(runnablePlatforms(normalizePlatform(platform)));
}

/** Only this platform, in whatever spelling: `arm64` matches `arm64/v8`, but `amd64` not `386`. */
export function matchPlatformExactly(platform: Platform): PlatformMatcher {
  return matchInOrder([normalizePlatform(platform)]);
}

/** Any of the platforms, the first preferred. */
export function matchInOrder(platforms: readonly Platform[]): PlatformMatcher {
  const tests = platforms.map(matchOne);
  const rank = (one: Platform) => {
    const at = tests.findIndex((test) => test(one));
    return at === -1 ? tests.length : at;
  };
  const compare = (a: Platform, b: Platform): number => {
    const [rankA, rankB] = [rank(a), rank(b)];
    if (rankA !== rankB) return rankA - rankB;
    if (rankA < tests.length) return (b.osFeatures?.length ?? 0) - (a.osFeatures?.length ?? 0);
    // Where neither matches, one that would without its features is nearer.
    return hasFeatures(a) || hasFeatures(b) ? compare(withoutFeatures(a), withoutFeatures(b)) : 0;
  };
  return { matches: (one) => rank(one) < tests.length, compare };
}

/** The descriptors that will do, best first; of equally good ones the earlier. Those without a platform are left out. */
export function selectByPlatform(
  descriptors: readonly Descriptor[],
  matcher: PlatformMatcher,
): readonly Descriptor[] {
  return descriptors
    .flatMap((descriptor) =>
      descriptor.platform ? [{ descriptor, platform: descriptor.platform }] : [],
    )
    .filter(({ platform }) => matcher.matches(platform))
    .sort((a, b) => matcher.compare(a.platform, b.platform))
    .map(({ descriptor }) => descriptor);
}

/** Of those offered, the one most like what was wanted: same system and architecture, else the same architecture. */
export function nearestPlatform(
  wanted: Platform,
  offered: readonly Platform[],
): Platform | undefined {
  const want = normalizePlatform(wanted);
  const likeness = (one: Platform) => {
    const { os, architecture } = normalizePlatform(one);
    return (
      (architecture === want.architecture
        ? 4
        : sameFamily(architecture, want.architecture)
          ? 1
          : 0) + (os === want.os ? 2 : 0)
    );
  };
  return [...offered]
    .filter((one) => likeness(one) > 2)
    .sort((a, b) => likeness(b) - likeness(a))[0];
}

/** For lists in messages: each platform once, in the order given, without attestations (`unknown/unknown`). */
export function formatPlatforms(platforms: readonly Platform[]): string {
  const names = platforms.map((one) => formatPlatform(normalizePlatform(one)));
  return [...new Set(names)].filter((name) => name !== "unknown/unknown").join(", ");
}

function sameFamily(a: string, b: string): boolean {
  return a.startsWith("arm") && b.startsWith("arm");
}

function hasFeatures(platform: Platform): boolean {
  return (platform.osFeatures?.length ?? 0) > 0;
}

function withoutFeatures({ osFeatures: _, ...rest }: Platform): Platform {
  return rest;
}

function matchOne(wanted: Platform): (offered: Platform) => boolean {
  const want = normalizePlatform(wanted);
  const features = new Set(want.osFeatures ?? []);
  const version = want.os === "windows" ? windowsVersion(want.osVersion ?? "") : undefined;
  return (offered) => {
    const have = normalizePlatform(offered);
    return (
      have.os === want.os &&
      have.architecture === want.architecture &&
      (have.variant ?? "") === (want.variant ?? "") &&
      (version === undefined || windowsRuns(version, offered.osVersion ?? "")) &&
      (have.osFeatures ?? []).every((feature) => features.has(feature) || isImplied(feature, have))
    );
  };
}

/** Every Windows has it, and images name it or not. */
function isImplied(feature: string, { os }: Platform): boolean {
  return os === "windows" && feature === "win32k";
}

/** What a processor of this platform understands, best first. Expects the canonical form. */
function runnablePlatforms(platform: Platform): readonly Platform[] {
  const { variant = "", ...bare } = platform;
  const as = (architecture: string, level: string): Platform => ({
    ...bare,
    architecture,
    variant: level,
  });
  const level = Number(/^v?(\d{1,3})$/.exec(variant)?.[1] ?? 0);
  switch (platform.architecture) {
    case "amd64":
      return [
        platform,
        ...countDown(level - 1, 1).map((n) => as("amd64", `v${n}`)),
        { ...bare, architecture: "386" },
      ];
    case "arm":
      return [platform, ...countDown(level - 1, 5).map((n) => as("arm", `v${n}`))];
    case "arm64": {
      const levels = arm64Levels(variant === "" ? "v8" : variant).map((one) => as("arm64", one));
      return [...levels, ...runnablePlatforms(as("arm", arm32Variant(variant)))];
    }
    default:
      return [platform];
  }
}

/**
 * This level of 64-bit arm and those below it. v9.x is v8.(x+5) with more, up to v8.9. A level that does not exist runs
 * nothing, not even itself. Behaviour: containerd/platforms, compare.go platformVector
 */
function arm64Levels(variant: string): readonly string[] {
  const match = /^v(?:(8)(?:\.([0-9]))?|(9)(?:\.([0-7]))?)$/.exec(variant);
  if (!match) return [];
  const minor = Number(match[2] ?? match[4] ?? 0);
  const downFrom = (generation: number, from: number) =>
    countDown(from, 0).map((n) => (n === 0 ? `v${generation}` : `v${generation}.${n}`));
  if (match[1] !== undefined) return downFrom(8, minor);
  return [...downFrom(9, minor), ...downFrom(8, Math.min(minor + 5, 9))];
}

function arm32Variant(variant: string): string {
  return variant === "" || /^v[89]\./.test(variant) ? "v8" : variant;
}

function countDown(from: number, to: number): readonly number[] {
  return Array.from({ length: Math.max(0, from - to + 1) }, (_, i) => from - i);
}

interface WindowsVersion {
  readonly major: number;
  readonly minor: number;
  readonly build: number;
}

/** Windows Server 2022: from here on, a host runs containers of every release since this one. */
const windowsStableBuild = 20348;

/** Undefined when it is not `major.minor.build[...]`, which matches whatever there is. */
function windowsVersion(text: string): WindowsVersion | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)(?:\.|$)/.exec(text);
  const [major = 0, minor = 0, build = 0] = (match ?? []).slice(1).map(Number);
  if (major > 255 || minor > 255 || build > 65535) return undefined;
  return major === 0 && minor === 0 && build === 0 ? undefined : { major, minor, build };
}

function windowsRuns(host: WindowsVersion, offered: string): boolean {
  if (offered === "") return true;
  const image = windowsVersion(offered) ?? { major: 0, minor: 0, build: 0 };
  if (image.major !== host.major || image.minor !== host.minor) return false;
  if (host.build < windowsStableBuild) return image.build === host.build;
  return windowsStableBuild <= image.build && image.build <= host.build;
}
