// VOLUME: paths whose content containers keep apart.
import type { VolumeInstruction } from "../instructions/volume.ts";
import type { Converter } from "./environment.ts";
import { goList } from "./go-format.ts";
import { recorded } from "./history.ts";
import { dockerfileError } from "./problem.ts";
import { configured } from "./stage.ts";

export const convertVolume: Converter<VolumeInstruction> = (stage, { paths }) => {
  if (paths.includes("")) throw dockerfileError("VOLUME specified can not be an empty string");
  const volumes = Object.fromEntries(paths.map((path) => [path, {}]));
  const changed = configured(stage, { Volumes: { ...stage.config.Volumes, ...volumes } });
  return recorded(changed, `VOLUME ${goList(paths)}`, false);
};
