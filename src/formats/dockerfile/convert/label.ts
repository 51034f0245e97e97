// LABEL: annotations in the image's configuration.
import type { LabelInstruction } from "../instructions/label.ts";
import { legacyKeyValueFormat } from "../lint/legacy-key-value-format.ts";
import type { Converter } from "./environment.ts";
import { goPairs } from "./pairs.ts";

export const convertLabel: Converter<LabelInstruction> = (
  stage,
  { pairs, keyword, lines },
  env,
) => {
  for (const { legacy } of pairs) if (legacy) env.linter.warn(legacyKeyValueFormat, lines, keyword);
  const labels = Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
  stage.config.Labels = { ...stage.config.Labels, ...labels };
  stage.record(`LABEL${goPairs(pairs)}`, false);
};
