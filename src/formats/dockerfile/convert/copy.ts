// COPY: files of the build context, a stage or an image on top of the files so far.
import type { CopyInstruction } from "../instructions/index.ts";
import { addCopies, copyPlan } from "./copy-layer.ts";
import { inlineSteps, localStep } from "./copy-steps.ts";
import type { Converter } from "./environment.ts";
import { toSlash } from "./paths.ts";
import { dockerfileError } from "./problem.ts";
import { gitReferenceOf, isHttpSource } from "./remote-source.ts";

export const convertCopy: Converter<CopyInstruction> = (stage, copy, env) => {
  const [from] = env.sources;
  const files = from?.files ?? env.context.files;
  const plan = copyPlan(stage, copy, env, {
    parents: copy.parents,
    fromContext: from === undefined,
  });
  for (const source of copy.sources) {
    if (gitReferenceOf(source) !== undefined)
      throw dockerfileError("source can't be a git ref for COPY", "Use ADD instead.");
    if (isHttpSource(source))
      throw dockerfileError("source can't be a URL for COPY", "Use ADD instead.");
  }
  const steps = copy.sources.map((source) => localStep(plan, source, files, { unpack: false }));
  if (copy.inline.length > 0) steps.push(...inlineSteps(plan, copy.inline));
  const used = from?.used ?? env.context.used;
  for (const source of copy.sources) used.add(toSlash(source, stage.platform.os));
  addCopies(plan, steps, copy.parents ? ["--parents"] : []);
};
