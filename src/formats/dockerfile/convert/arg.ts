// ARG: variables that the build's caller may set.
import type { ArgInstruction, BuildArg } from "../instructions/index.ts";
import type { ConvertEnv, Converter } from "./environment.ts";
import { steeringArgs, warnOfSecret } from "./lint-variables.ts";
import type { Stage } from "./stage.ts";

export const convertArg: Converter<ArgInstruction> = (stage, arg, env) => {
  let words = "ARG";
  for (const declared of arg.args) {
    warnOfSecret("ARG", declared.name, arg.lines, env.linter);
    const { value, inherited } = chosenValue(stage, declared, arg, env);
    const { name } = declared;
    env.outline.arg(name, { doc: declared.doc, value, lines: arg.lines, inherited });
    if (value !== undefined && !steeringArgs.has(name)) stage.files = stage.files.env(name, value);
    stage.args.push({ name, value });
    words += value === undefined ? ` ${name}` : ` ${name}=${value}`;
  }
  stage.record(words, false);
};

/** The caller's value, else the default, else what was declared before the first FROM. */
function chosenValue(
  stage: Stage,
  { name, value }: BuildArg,
  arg: ArgInstruction,
  env: ConvertEnv,
): { readonly value: string | undefined; readonly inherited: boolean } {
  const { buildArgs = {} } = env.options;
  if (Object.hasOwn(buildArgs, name)) return { value: buildArgs[name] ?? "", inherited: false };
  if (value !== undefined) return { value: env.expandNoted(value, stage, arg), inherited: false };
  const global = env.globalArgs.get(name);
  return { value: global, inherited: global !== undefined };
}
