// Names of steps, `[linux/arm64 build 2/7] RUN make`: what people see, and part of a definition's metadata.
import {
  formatPlatformFully,
  normalizePlatform,
  type Platform,
  parsePlatform,
} from "../../oci/index.ts";
import type { Variables } from "./env.ts";

/** What of a stage goes into the names of its steps. */
export interface StepNaming {
  /** Empty where the file has one stage only. */
  readonly stageName: string;
  /** How many steps the stage has. */
  readonly total: number;
  readonly showPlatform: boolean;
  readonly hostPlatform: Platform;
}

/** One step to name. */
export interface NamedStep {
  readonly index: number;
  readonly platform: Platform;
  readonly variables: Variables;
  /** The step comes from the base image's ONBUILD. */
  readonly onBuild: boolean;
}

/** The words with the step's prefix, which stages without steps have not. */
export function stepName(words: string, naming: StepNaming, step: NamedStep): string {
  if (naming.total === 0) return words;
  const platform = naming.showPlatform ? `${platformWords(step, naming.hostPlatform)} ` : "";
  const stage = naming.stageName === "" ? "" : `${naming.stageName} `;
  const width = Math.floor(1 + Math.log10(naming.total));
  const index = String(step.index).padStart(width);
  return `[${platform}${stage}${index}/${naming.total}] ${step.onBuild ? "ONBUILD " : ""}${words}`;
}

/** The words with the first in upper case: instructions may be written in any. */
export function withUpperKeyword(words: string): string {
  const blank = words.indexOf(" ");
  const keyword = blank === -1 ? words : words.slice(0, blank);
  const upper = keyword.toUpperCase();
  return upper === keyword ? words : upper + words.slice(keyword.length);
}

/** The step's platform, with the target's after an arrow where a stage builds for another: `linux/amd64->arm64`. */
function platformWords({ platform, variables }: NamedStep, host: Platform): string {
  const target = targetOf(variables, host);
  const base = formatPlatformFully(platform);
  if (target === undefined) return base;
  const goal = normalizePlatform({
    ...target,
    os: target.os || platform.os,
    architecture: target.architecture || platform.architecture,
  });
  if (goal.os !== platform.os) return `${base}->${formatPlatformFully(goal)}`;
  if (goal.architecture === platform.architecture) return base;
  return `${base}->${[goal.architecture, goal.variant].filter(Boolean).join("/")}`;
}

/** What the stage says that it builds for, by the TARGET arguments it declared. */
function targetOf(variables: Variables, host: Platform): Platform | undefined {
  const whole = variables.get("TARGETPLATFORM");
  if (whole !== undefined) {
    try {
      return parsePlatform(whole, host);
    } catch {
      // Then the parts may still tell.
    }
  }
  const os = variables.get("TARGETOS");
  const architecture = variables.get("TARGETARCH");
  const variant = variables.get("TARGETVARIANT");
  if (os === undefined && architecture === undefined && variant === undefined) return undefined;
  return { os: os ?? "", architecture: architecture ?? "", ...(variant ? { variant } : {}) };
}
