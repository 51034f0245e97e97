// MAINTAINER: the image's author.
import type { MaintainerInstruction } from "../instructions/maintainer.ts";
import type { Converter } from "./environment.ts";

export const convertMaintainer: Converter<MaintainerInstruction> = (stage, { author }) => {
  stage.image = { ...stage.image, author };
  stage.record(`MAINTAINER ${author}`, false);
};
