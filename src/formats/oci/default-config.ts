// The configuration of an image that nobody has said anything about.
import type { ImageConfig, Platform } from "./types.ts";

/** As the reference's exporter has it: programs are found where they usually lie, and start at the root. */
export function defaultImageConfig({ os, architecture, variant }: Platform): ImageConfig {
  return {
    os,
    architecture,
    ...(variant ? { variant } : {}),
    config: {
      Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      WorkingDir: "/",
    },
    rootfs: { type: "layers", diff_ids: [] },
  };
}
