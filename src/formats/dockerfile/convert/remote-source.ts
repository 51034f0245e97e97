// Sources that are neither in the build context nor images: files behind URLs and repositories.
import { posix } from "node:path";
import { parseDigest } from "../../../base/index.ts";
import { type FileStep, http, type State } from "../../llb/index.ts";
import type { AddInstruction } from "../instructions/index.ts";
import type { CopyPlan } from "./copy-steps.ts";

/** True for URLs that are files, not repositories. */
export function isHttpSource(source: string): boolean {
  return /^https?:\/\//.test(source) && !isGitSource(source);
}

/** Copies the file behind a URL. */
export function httpStep(plan: CopyPlan, add: AddInstruction, source: string): FileStep {
  const filename = filenameOf(source);
  const checksum = add.checksum === "" ? {} : { checksum: parseDigest(add.checksum) };
  const file = http(source, {
    filename,
    ...checksum,
    name: plan.name,
    description: { "com.docker.dockerfile.v1.command": "" },
  });
  return {
    kind: "copy",
    ...(file.output === undefined ? {} : { from: file.output }),
    src: posix.join("/", filename),
    dest: plan.destination,
    attemptUnpack: add.unpack ?? false,
    ...plan.common,
  };
}

/** The name that a downloaded file gets: the last part of the URL's path. */
export function filenameOf(url: string): string {
  try {
    const base = posix.basename(decodeURIComponent(new URL(url).pathname));
    return base === "" ? "__unnamed__" : base;
  } catch {
    return "__unnamed__";
  }
}

/** True for repositories. */
export function isGitSource(_source: string): boolean {
  return false;
}

export function gitStep(_plan: CopyPlan, _add: AddInstruction, source: string): FileStep {
  throw new Error(`git sources: ${source}`);
}

/** A named context behind a URL; undefined where it is no URL of a file or repository. */
export function remoteContext(value: string, prefix: string): State | undefined {
  if (!isHttpSource(value)) return undefined;
  return http(value, { filename: "context", name: `${prefix} load remote build context` });
}

export function gitState(source: string, _add: AddInstruction): State {
  throw new Error(`git sources: ${source}`);
}
