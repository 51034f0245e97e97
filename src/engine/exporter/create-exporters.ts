// All exporters by type, made of the same parts; adding one is a folder and a line here.
import { join } from "node:path";
import type { Attrs, Session, StepCall } from "../../api/index.ts";
import { createBlobReader } from "../../storage/image/index.ts";
import type { LayerBlob, SnapshotLayer } from "../../storage/snapshot/index.ts";
import type { Exporter } from "./exporter.ts";
import { parseImageAttributes } from "./image/attributes.ts";
import { createImageExporter } from "./image/exporter.ts";
import { createMadeLayers } from "./image/made-layers.ts";
import { createLayerPacker, type LayerPacker } from "./image/pack-layers.ts";
import { chooseTimestamps } from "./image/timestamps.ts";
import { createFilesExporter } from "./local/exporter.ts";
import { createDockerExporter, createOciExporter } from "./oci/exporter.ts";
import type { ExporterParts } from "./parts.ts";

/** By the types that can be asked for. */
export function createExporters(
  parts: ExporterParts,
  pack: LayerPacker = createPacker(parts),
): ReadonlyMap<string, Exporter> {
  const image = createImageExporter(parts, pack);
  const list: readonly Exporter[] = [
    image,
    pushed(image),
    createOciExporter(parts, pack),
    createDockerExporter(parts, pack),
    createFilesExporter("local"),
    createFilesExporter("tar"),
  ];
  return new Map(list.map((one) => [one.type, one]));
}

/** What packs layers for all exporters, and for caches: no layer is packed twice. */
export function createPacker(parts: ExporterParts): LayerPacker {
  const made = createMadeLayers(join(parts.directory, "layers"));
  return createLayerPacker({ ...parts, made });
}

/** Packs a layer as an image with these attributes (`compression`, ...) would have it. */
export async function packForCache(
  parts: ExporterParts,
  pack: LayerPacker,
  layer: SnapshotLayer,
  { attrs, epoch, session }: { attrs: Attrs; epoch: number | undefined; session: Session },
  call: StepCall,
): Promise<LayerBlob> {
  const names = ["compression", "compression-level", "force-compression", "oci-mediatypes"];
  const known = Object.fromEntries(Object.entries(attrs).filter(([name]) => names.includes(name)));
  const attributes = parseImageAttributes(known);
  const { clamp } = chooseTimestamps(attributes, epoch, parts.now);
  const registry = parts.registry(session, { insecure: false });
  const read = createBlobReader({ ...parts, registry });
  return await pack(layer, { ...attributes.packing, clamp, read }, call);
}

/** `registry` is `image` with another default. */
function pushed(image: Exporter): Exporter {
  const withPush = (attrs: Attrs) => ({ push: "true", ...attrs });
  return {
    type: "registry",
    knows: (attribute) => image.knows(attribute),
    check: async (attrs, session, call) => image.check?.(withPush(attrs), session, call),
    anticipate: async (layer, times, attrs, session, call) =>
      image.anticipate?.(layer, times, withPush(attrs), session, call),
    prepare: (result, attrs, session, call) =>
      image.prepare(result, withPush(attrs), session, call),
  };
}
