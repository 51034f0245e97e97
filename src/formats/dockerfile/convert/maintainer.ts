// MAINTAINER: the image's author.
import type { MaintainerInstruction } from "../instructions/maintainer.ts";
import type { Converter } from "./environment.ts";
import { recorded } from "./history.ts";
import { changed } from "./stage.ts";

export const convertMaintainer: Converter<MaintainerInstruction> = (stage, { author }) =>
  recorded(changed(stage, { image: { ...stage.image, author } }), `MAINTAINER ${author}`, false);
