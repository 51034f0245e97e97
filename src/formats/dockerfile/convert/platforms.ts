// Which platforms a build is about, and the variables that tell of them.
import { formatPlatformFully, type Platform } from "../../oci/index.ts";
import type { ArgValues } from "./env.ts";
import type { ConvertOptions } from "./options.ts";

/** The platforms of one conversion. */
export interface BuildPlatforms {
  readonly target: Platform;
  readonly build: readonly [Platform, ...Platform[]];
  /** True when nobody asked for the target, so that a base image may still decide it. */
  readonly implicit: boolean;
}

export function choosePlatforms({
  targetPlatform,
  buildPlatforms,
}: ConvertOptions): BuildPlatforms {
  const [first, ...rest] = buildPlatforms;
  const native = first ?? targetPlatform;
  if (native === undefined) throw new Error("a conversion needs a build platform");
  return {
    target: targetPlatform ?? native,
    build: [native, ...rest],
    implicit: targetPlatform === undefined,
  };
}

/** The arguments that every file has without declaring them; build arguments go before them. */
export function predefinedArgs(
  { target, build }: BuildPlatforms,
  buildArgs: Readonly<Record<string, string>>,
  stageName: string,
): ArgValues {
  const [native] = build;
  const predefined: Record<string, string> = {
    BUILDPLATFORM: formatPlatformFully(native),
    BUILDOS: native.os,
    BUILDOSVERSION: native.osVersion ?? "",
    BUILDARCH: native.architecture,
    BUILDVARIANT: native.variant ?? "",
    TARGETPLATFORM: formatPlatformFully(target),
    TARGETOS: target.os,
    TARGETOSVERSION: target.osVersion ?? "",
    TARGETARCH: target.architecture,
    TARGETVARIANT: target.variant ?? "",
    TARGETSTAGE: stageName === "" ? "default" : stageName,
  };
  return new Map(
    Object.entries(predefined).map(([name, value]): [string, string] => [
      name,
      Object.hasOwn(buildArgs, name) ? (buildArgs[name] ?? "") : value,
    ]),
  );
}
