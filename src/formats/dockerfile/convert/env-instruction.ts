// ENV: variables of the image, and of all later steps of the stage.

import type { EnvInstruction } from "../instructions/index.ts";
import { legacyKeyValueFormat } from "../lint/legacy-key-value-format.ts";
import { setImageVariable } from "./env.ts";
import type { Converter } from "./environment.ts";
import { recorded } from "./history.ts";
import { warnOfSecret } from "./lint-variables.ts";
import { goPairs } from "./pairs.ts";
import { changed } from "./stage.ts";

export const convertEnv: Converter<EnvInstruction> = (stage, { pairs, keyword, lines }, env) => {
  let { files } = stage;
  let variables = stage.config.Env ?? [];
  for (const { key, value, legacy } of pairs) {
    if (legacy) env.linter.warn(legacyKeyValueFormat, lines, keyword);
    warnOfSecret("ENV", key, lines, env.linter);
    files = files.env(key, value);
    variables = setImageVariable(variables, key, value);
  }
  return recorded(
    changed(stage, { files, config: { ...stage.config, Env: variables } }),
    `ENV${goPairs(pairs)}`,
    false,
  );
};
