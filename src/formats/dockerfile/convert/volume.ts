// VOLUME: paths whose content containers keep apart.
import type { VolumeInstruction } from "../instructions/volume.ts";
import type { Converter } from "./environment.ts";
import { goList } from "./go-format.ts";
import { dockerfileError } from "./problem.ts";

export const convertVolume: Converter<VolumeInstruction> = (stage, { paths }) => {
  if (paths.includes("")) throw dockerfileError("VOLUME specified can not be an empty string");
  const volumes = Object.fromEntries(paths.map((path) => [path, {}]));
  stage.config.Volumes = { ...stage.config.Volumes, ...volumes };
  stage.record(`VOLUME ${goList(paths)}`, false);
};
