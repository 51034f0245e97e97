// ENV: variables of the image, and of all later steps of the stage.

import type { EnvInstruction } from "../instructions/index.ts";
import { legacyKeyValueFormat } from "../lint/legacy-key-value-format.ts";
import { setImageVariable } from "./env.ts";
import type { Converter } from "./environment.ts";
import { warnOfSecret } from "./lint-variables.ts";
import { goPairs } from "./pairs.ts";

export const convertEnv: Converter<EnvInstruction> = (stage, { pairs, keyword, lines }, env) => {
  let variables = stage.config.Env ?? [];
  for (const { key, value, legacy } of pairs) {
    if (legacy) env.linter.warn(legacyKeyValueFormat, lines, keyword);
    warnOfSecret("ENV", key, lines, env.linter);
    stage.files = stage.files.env(key, value);
    variables = setImageVariable(variables, key, value);
  }
  stage.config.Env = variables;
  stage.record(`ENV${goPairs(pairs)}`, false);
};
