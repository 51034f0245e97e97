// LABEL: annotations in the image's configuration.
import type { LabelInstruction } from "../instructions/label.ts";
import { legacyKeyValueFormat } from "../lint/legacy-key-value-format.ts";
import type { Converter } from "./environment.ts";
import { recorded } from "./history.ts";
import { goPairs } from "./pairs.ts";
import { configured } from "./stage.ts";

export const convertLabel: Converter<LabelInstruction> = (
  stage,
  { pairs, keyword, lines },
  env,
) => {
  for (const { legacy } of pairs) if (legacy) env.linter.warn(legacyKeyValueFormat, lines, keyword);
  const labels = Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
  const changed = configured(stage, { Labels: { ...stage.config.Labels, ...labels } });
  return recorded(changed, `LABEL${goPairs(pairs)}`, false);
};
