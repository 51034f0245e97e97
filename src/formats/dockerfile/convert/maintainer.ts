// MAINTAINER: the image's author.
import type { MaintainerInstruction } from "../instructions/maintainer.ts";
import type { Converter } from "./environment.ts";
import { recorded } from "./history.ts";

export const convertMaintainer: Converter<MaintainerInstruction> = (stage, { author }) =>
  recorded({ ...stage, image: { ...stage.image, author } }, `MAINTAINER ${author}`, false);
