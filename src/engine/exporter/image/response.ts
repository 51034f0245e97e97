// What an exporter of images answers: the reference's response keys (features.md D-49).
import { Buffer } from "node:buffer";
import type { Attrs } from "../../../api/index.ts";
import { goJson } from "../../../base/index.ts";
import { descriptorJson } from "../../../formats/oci/index.ts";
import type { CreatedImage } from "./create-image.ts";

/** Those about the configuration only where there is one for the whole image. */
export function imageResponse(
  name: string | undefined,
  { images, descriptor }: Pick<CreatedImage, "images" | "descriptor">,
): Attrs {
  const [only] = images;
  const single = only && only.manifest.descriptor.digest === descriptor.digest ? only : undefined;
  return {
    ...(name ? { "image.name": name } : {}),
    "containerimage.digest": descriptor.digest,
    "containerimage.descriptor": Buffer.from(goJson(descriptorJson(descriptor))).toString("base64"),
    ...(single ? { "containerimage.config.digest": single.config.descriptor.digest } : {}),
  };
}
