// A stage made to tell a time: `FROM scratch` and one ADD of a URL or repository.
import { http, type State } from "../../llb/index.ts";
import type { AddInstruction } from "../instructions/index.ts";
import type { Stage as WrittenStage } from "../stages.ts";
import { type ArgValues, setVariable } from "./env.ts";
import type { Expander } from "./expand.ts";
import { dockerfileError, type ErrorFile, placed } from "./problem.ts";
import { filenameOf, gitReferenceOf, gitState, isHttpSource } from "./remote-source.ts";

export interface EpochStageScope {
  readonly variables: ArgValues;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly expander: Expander;
  readonly errorFile: ErrorFile;
}

/** What the stage of that name adds; undefined where there is none. */
export function stageSource(
  stages: readonly WrittenStage[],
  name: string,
  scope: EpochStageScope,
): State | undefined {
  const stage = stages.find((one) => one.name !== "" && one.name === name.toLowerCase());
  if (stage === undefined) return undefined;
  try {
    return sourceOf(stage, scope);
  } catch (error) {
    throw placed(error, stage.lines, scope.errorFile);
  }
}

function sourceOf(stage: WrittenStage, { variables, buildArgs, expander }: EpochStageScope): State {
  if (expander.expand(stage.base, variables).word !== "scratch") {
    throw dockerfileError("SOURCE_DATE_EPOCH stage must use FROM scratch");
  }
  let known = variables;
  const sources: State[] = [];
  for (const instruction of stage.instructions) {
    if (instruction.kind === "arg") {
      for (const { name, value } of instruction.args) {
        const given = Object.hasOwn(buildArgs, name)
          ? buildArgs[name]
          : value && expander.expand(value, known).word;
        if (given !== undefined) known = setVariable(known, name, given);
      }
    } else if (instruction.kind === "add") {
      sources.push(remoteState(instruction, (word) => expander.expand(word, known).word));
    } else {
      throw dockerfileError(
        `SOURCE_DATE_EPOCH stage does not meet source-only requirements: unsupported ${instruction.keyword} instruction`,
      );
    }
  }
  const [source, ...more] = sources;
  if (source !== undefined && more.length === 0) return source;
  throw dockerfileError("SOURCE_DATE_EPOCH stage must contain exactly one remote ADD");
}

function remoteState(add: AddInstruction, expand: (word: string) => string): State {
  const [written, ...more] = add.sources;
  if (written === undefined || more.length > 0 || add.inline.length > 0) {
    throw dockerfileError("SOURCE_DATE_EPOCH stage must contain exactly one remote ADD source");
  }
  const source = expand(written);
  const checksum = expand(add.checksum);
  const repository =
    add.keepGitDir === undefined && isHttpSource(source) ? undefined : gitReferenceOf(source);
  if (repository !== undefined) return gitState(repository, { ...add, checksum });
  if (!isHttpSource(source)) {
    throw dockerfileError("SOURCE_DATE_EPOCH stage source must be a single HTTP(S) or Git ADD");
  }
  return http(source, { filename: filenameOf(source), ...(checksum === "" ? {} : { checksum }) });
}
