// Checks of stages as a whole: their names, their bases, how their instructions are written.
import {
  formatPlatformFully,
  type ImageConfig,
  normalizePlatform,
  type Platform,
  parsePlatform,
  parseReference,
} from "../../oci/index.ts";
import type { LineRange } from "../ast.ts";
import type { InstructionBase } from "../instructions/index.ts";
import {
  consistentInstructionCasing,
  duplicateStageName,
  fromPlatformFlagConstDisallowed,
  invalidBaseImagePlatform,
  invalidDefaultArgInFrom,
  type Linter,
  redundantTargetPlatform,
  reservedStageName,
  undefinedArgInFrom,
} from "../lint/index.ts";
import type { Replacement } from "../shell-words.ts";
import type { Stage as WrittenStage } from "../stages.ts";
import type { Variables } from "./env.ts";
import type { GlobalArgs } from "./global-args.ts";
import { nearestName } from "./lint-variables.ts";
import type { PlannedStage } from "./plan.ts";

/** Warns of names that are taken, and of names that mean something else. */
export function warnOfStageNames(stages: readonly WrittenStage[], linter: Linter): void {
  const seen = new Set<string>();
  for (const { name, lines } of stages) {
    if (name === "") continue;
    if (name === "context" || name === "scratch") linter.warn(reservedStageName, lines, name);
    if (seen.has(name)) linter.warn(duplicateStageName, lines, name);
    seen.add(name);
  }
}

/** Warns of keywords that are not in the case of most others. */
export function warnOfCasing(stages: readonly WrittenStage[], linter: Linter): void {
  const counts = { lowercase: 0, uppercase: 0, all: 0 };
  visitInstructions(stages, ({ keyword }) => {
    counts.all++;
    if (isIn("lowercase", keyword)) counts.lowercase++;
    if (isIn("uppercase", keyword)) counts.uppercase++;
  });
  const casing = counts.lowercase > counts.uppercase ? "lowercase" : "uppercase";
  if (counts[casing] === counts.all) return;
  visitInstructions(stages, ({ lines, keyword }) => {
    if (!isIn(casing, keyword)) linter.warn(consistentInstructionCasing, lines, keyword, casing);
  });
}

function visitInstructions(
  stages: readonly WrittenStage[],
  visit: (instruction: InstructionBase) => void,
): void {
  for (const stage of stages) {
    visit(stage);
    for (const instruction of stage.instructions) visit(instruction);
  }
}

const upper = /[A-Z]/;
const lower = /[a-z]/;

function isIn(casing: "lowercase" | "uppercase", keyword: string): boolean {
  return !(casing === "lowercase" ? upper : lower).test(keyword);
}

/** Warns of bases that are no image's name when nobody sets the arguments in them. */
export function warnOfDefaultBases(
  stages: readonly WrittenStage[],
  baseWithDefaults: (stage: WrittenStage) => string | undefined,
  linter: Linter,
): void {
  for (const stage of stages) {
    const name = baseWithDefaults(stage);
    if (name === undefined) return;
    if (!isReference(name)) linter.warn(invalidDefaultArgInFrom, stage.lines, stage.base);
  }
}

/** Warns of variables in FROM that no ARG before the first FROM declares. */
export function warnOfUndeclared(
  unmatched: ReadonlySet<string>,
  { declared, variables }: GlobalArgs,
  lines: LineRange,
  linter: Linter,
): void {
  if (unmatched.size === 0) return;
  const known = [...declared.keys(), ...variables.keys()];
  for (const name of unmatched) {
    if (!known.includes(name))
      linter.warn(undefinedArgInFrom, lines, name, nearestName(name, known) ?? "");
  }
}

/** Warns of `--platform` that says what is so anyway, or that ties a stage to one platform. */
export function warnOfPlatformFlag(
  stage: WrittenStage,
  expansion: Replacement,
  args: Variables,
  linter: Linter,
): void {
  const { matched, unmatched, word } = expansion;
  if (matched.size === 1 && unmatched.size === 0 && matched.has("TARGETPLATFORM")) {
    if (word === args.get("TARGETPLATFORM"))
      linter.warn(redundantTargetPlatform, stage.lines, stage.platform);
  }
  if (matched.size > 0 || unmatched.size > 0) return;
  const platform = platformOf(word);
  if (platform === undefined) return;
  // A stage whose name tells its platform is tied to it on purpose.
  if (stage.name.includes(platform.os) || stage.name.includes(platform.architecture)) return;
  linter.warn(fromPlatformFlagConstDisallowed, stage.lines, word);
}

/** Warns of a base image that exists for another platform only. */
export function warnOfBasePlatform(
  stage: PlannedStage,
  wanted: Platform,
  image: ImageConfig,
  linter: Linter,
): void {
  if (wanted.os === image.os && wanted.architecture === image.architecture) return;
  const found = {
    os: image.os,
    architecture: image.architecture,
    ...(image.variant ? { variant: image.variant } : {}),
  };
  const [expected, actual] = [wanted, found].map((one) =>
    formatPlatformFully(normalizePlatform(one)),
  );
  linter.warn(invalidBaseImagePlatform, stage.lines, stage.baseName, actual ?? "", expected ?? "");
}

function isReference(name: string): boolean {
  try {
    parseReference(name);
    return true;
  } catch {
    return false;
  }
}

function platformOf(word: string): Platform | undefined {
  try {
    return parsePlatform(word, { os: "linux", architecture: "amd64" });
  } catch {
    return undefined;
  }
}
