// Which step of the last build a step is compared with: the same one, else the one that stands in its place.
import type { BuiltStep } from "./step-history.ts";

interface NamedStep {
  readonly name: string;
  readonly platform?: string;
  readonly step: string;
}

export interface Place {
  /** `build` of `[linux/amd64 build 2/5] RUN make`. */
  readonly stage: string;
  readonly number: number;
  /** First word after the bracket: `RUN`. */
  readonly instruction: string;
  readonly words: readonly string[];
}

/**
 * The step with the same definition, if there is one; else, of the same stage, platform and instruction, the one that no
 * step of this build (`current`) is, by likeness of words and then by nearness of number.
 */
export function nearestStep(
  step: NamedStep,
  last: readonly BuiltStep[],
  current: ReadonlySet<string>,
): BuiltStep | undefined {
  const place = placeOf(step.name);
  const distance = (other: BuiltStep) => Math.abs(placeOf(other.name).number - place.number);
  const inStage = (other: BuiltStep) => placeOf(other.name).stage === place.stage;
  const here = last.filter((other) => other.platform === step.platform);
  const same = here.filter((other) => other.step === step.step);
  if (same.length > 0) {
    const closest = (steps: readonly BuiltStep[]) =>
      steps.toSorted((a, b) => distance(a) - distance(b))[0];
    return closest(same.filter(inStage)) ?? closest(same);
  }
  return here
    .filter(
      (other) =>
        !current.has(other.step) &&
        inStage(other) &&
        placeOf(other.name).instruction === place.instruction,
    )
    .map((other) => ({ other, like: likeness(placeOf(other.name).words, place.words) }))
    .toSorted((a, b) => b.like - a.like || distance(a.other) - distance(b.other))[0]?.other;
}

/** What a step's name says of its place in the Dockerfile. */
export function placeOf(name: string): Place {
  const parts = /^\[(?:[a-z]+\/\S+ )?(.*?) *(\d+)\/\d+\] (.*)$/s.exec(name);
  const words = (parts?.[3] ?? name).split(/\s+/);
  return {
    // Numbers are padded to the width of the largest: `[final  3/41]`.
    stage: (parts?.[1] ?? "").trim(),
    number: Number(parts?.[2] ?? 0),
    instruction: words[0] ?? "",
    words,
  };
}

/** Share of words in common, from 0 to 1. */
function likeness(a: readonly string[], b: readonly string[]): number {
  const known = new Set(a);
  const common = b.filter((word) => known.has(word)).length;
  return common / Math.max(a.length, b.length, 1);
}
