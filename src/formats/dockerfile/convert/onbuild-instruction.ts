// ONBUILD: an instruction kept in the image for those who build on it.
import type { OnbuildInstruction } from "../instructions/onbuild.ts";
import type { Converter } from "./environment.ts";
import { configured } from "./stage.ts";

export const convertOnbuild: Converter<OnbuildInstruction> = (stage, { expression }) =>
  configured(stage, { OnBuild: [...(stage.config.OnBuild ?? []), expression] });
