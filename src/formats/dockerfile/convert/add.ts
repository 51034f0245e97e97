// ADD: as COPY, and archives unpacked, files behind URLs, commits of repositories.
import type { FileStep } from "../../llb/index.ts";
import type { AddInstruction } from "../instructions/index.ts";
import { addCopies, copyPlan } from "./copy-layer.ts";
import { inlineSteps, localStep } from "./copy-steps.ts";
import type { Converter } from "./environment.ts";
import { toSlash } from "./paths.ts";
import { dockerfileError } from "./problem.ts";
import { gitReferenceOf, gitStep, httpStep, isGitSource, isHttpSource } from "./remote-source.ts";

export const convertAdd: Converter<AddInstruction> = (stage, add, env) => {
  checkChecksum(add);
  const plan = copyPlan(stage, add, env, { parents: false, fromContext: true });
  const steps = [
    ...add.sources.map((source): FileStep => {
      const repository = gitReferenceOf(source);
      if (repository !== undefined) return gitStep(plan, add, repository);
      if (isHttpSource(source)) return httpStep(plan, add, source);
      return localStep(plan, source, env.context.files, { unpack: add.unpack ?? true });
    }),
    ...inlineSteps(plan, add.inline),
  ];
  for (const source of add.sources) {
    // BuildKit: a git URL counts as a path of the context here.
    if (/^https?:\/\//.test(source)) continue;
    env.context.used.add(toSlash(source, stage.platform.os));
  }
  addCopies(plan, steps, []);
};

function checkChecksum({ checksum, sources }: AddInstruction): void {
  if (checksum === "") return;
  const [source] = sources;
  if (source === undefined || sources.length > 1) {
    throw dockerfileError(
      "checksum can't be specified for multiple sources",
      "Write one ADD for each source.",
    );
  }
  if (!isHttpSource(source) && !isGitSource(source))
    throw dockerfileError("checksum requires HTTP(S) or Git sources");
}
