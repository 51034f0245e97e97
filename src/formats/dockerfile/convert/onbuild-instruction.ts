// ONBUILD: an instruction kept in the image for those who build on it.
import type { OnbuildInstruction } from "../instructions/onbuild.ts";
import type { Converter } from "./environment.ts";

export const convertOnbuild: Converter<OnbuildInstruction> = (stage, { expression }) => {
  stage.config.OnBuild = [...(stage.config.OnBuild ?? []), expression];
};
