// Exporters `oci` and `docker`: an image as one archive, handed to the asking side.
import type { Attrs } from "../../../api/index.ts";
import { KilnError, sortedRecord } from "../../../base/index.ts";
import { formatReference, withDefaultTag } from "../../../formats/oci/index.ts";
import { createBlobReader } from "../../../storage/image/index.ts";
import { announced } from "../announce.ts";
import { booleanAttribute } from "../attributes.ts";
import type { Exporter, SolvedResult } from "../exporter.ts";
import { selectAnnotations } from "../image/annotations.ts";
import {
  isImageAttribute,
  parseImageAttributes,
  withAnnotations,
  withConfig,
} from "../image/attributes.ts";
import { createImage, documentsOf, packEarly } from "../image/create-image.ts";
import type { LayerPacker } from "../image/pack-layers.ts";
import { imageResponse } from "../image/response.ts";
import type { ExporterParts } from "../parts.ts";
import { layoutTar, writeLayout } from "./layout-tar.ts";

/** What only these two take. Where the archive goes, and whether it is unpacked there, the asking side decides. */
const own = ["dest", "tar"];

/** As `oci`, with the media types and the list that `docker load` wants. */
export function createDockerExporter(parts: ExporterParts, pack: LayerPacker): Exporter {
  return createArchiveExporter("docker", parts, pack);
}

/** An OCI image layout. */
export function createOciExporter(parts: ExporterParts, pack: LayerPacker): Exporter {
  return createArchiveExporter("oci", parts, pack);
}

function createArchiveExporter(
  type: "oci" | "docker",
  parts: ExporterParts,
  pack: LayerPacker,
): Exporter {
  return {
    type,
    knows: (attribute) => isImageAttribute(attribute, own),
    check: async (attrs) => void parseAttributes(type, attrs),
    anticipate: (layer, times, attrs, _session, call) =>
      packEarly(parts, pack, { layer, times, attributes: parseAttributes(type, attrs) }, call),
    async prepare(result, attrs, session, call) {
      const attributes = withAnnotations(parseAttributes(type, attrs), result);
      if (type === "docker") checkSinglePlatform(result);
      const registry = parts.registry(session, { insecure: false });
      const read = createBlobReader({ ...parts, registry });
      const configured = withConfig(result, attributes);
      const image = await createImage(parts, pack, configured, { attributes, read }, call);
      const annotations = sortedRecord({
        "org.opencontainers.image.created": image.created,
        ...selectAnnotations(attributes.annotations, "index-descriptor"),
      });
      const descriptor = { ...image.descriptor, annotations };
      const { references } = attributes;
      const listed = attributes.attestationStore === "index";
      const docker = type === "docker";
      const options = { ...image, descriptor, references, docker, listed, read };
      return {
        descriptor: image.root.descriptor,
        documents: documentsOf(image),
        async finish(finishing) {
          const names = references.map((one) => formatReference(withDefaultTag(one))).join(",");
          const response = imageResponse(names, { ...image, descriptor });
          const target = { index: result.output ?? 0, type, response };
          // As the reference's client lends it: one store, whichever of the outputs it is for.
          const store = booleanAttribute(attrs, "tar", true)
            ? undefined
            : session.store?.("export");
          if (store) await writeLayout(options, store, finishing);
          else
            await announced("sending tarball", finishing, () =>
              session.receive(target, layoutTar(options, finishing), finishing),
            );
          return response;
        },
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}

function parseAttributes(type: "oci" | "docker", attrs: Attrs) {
  booleanAttribute(attrs, "tar", true);
  const family = type === "docker" ? { "oci-mediatypes": "false" } : {};
  return parseImageAttributes({ ...family, ...attrs }, own);
}

function checkSinglePlatform({ platforms }: SolvedResult): void {
  if (platforms.length <= 1) return;
  throw new KilnError("UNSUPPORTED", "an archive for docker load holds one platform only", {
    hint: "Write type=oci, which holds any number, or build for one platform.",
  });
}
