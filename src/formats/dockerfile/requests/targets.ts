// The sub-request `frontend.targets`: which stages a file has.

import { problemError } from "../convert/problem.ts";
import { createLinter } from "../lint/index.ts";
import { parseDockerfile } from "../parse.ts";
import { readInstructions } from "../stages.ts";
import { type LocationJson, locationJson } from "./result-json.ts";

/** What `frontend.targets` 1.0.0 answers; fields without a value are left out. */
export interface TargetList {
  /** Null for a file without stages. */
  readonly targets: readonly TargetJson[] | null;
  readonly sources: null;
}

export interface TargetJson {
  readonly name?: string;
  readonly description?: string;
  readonly default?: boolean;
  /** Variables as written. */
  readonly base?: string;
  readonly platform?: string;
  readonly location: LocationJson;
}

/** Stages in the file's order; the last is built where no target is named. Throws `DOCKERFILE_INVALID`. */
export function listTargets(data: Uint8Array, filename = "Dockerfile"): TargetList {
  const { value: tree, problems } = parseDockerfile(data);
  const written = readInstructions(tree.instructions, createLinter());
  const mistakes = [...problems, ...written.problems];
  if (mistakes.length > 0) throw problemError(mistakes, { filename, text: tree.text });
  const targets = written.stages.map(
    ({ name, doc, base, platform, lines }, index): TargetJson => ({
      ...(name === "" ? {} : { name }),
      ...(doc === "" ? {} : { description: doc }),
      ...(index === written.stages.length - 1 ? { default: true } : {}),
      base,
      ...(platform === "" ? {} : { platform }),
      location: locationJson(lines),
    }),
  );
  return { targets: targets.length === 0 ? null : targets, sources: null };
}
