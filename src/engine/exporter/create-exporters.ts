// All exporters by type, made of the same parts; adding one is a folder and a line here.
import { join } from "node:path";
import type { Attrs } from "../../api/index.ts";
import type { Exporter } from "./exporter.ts";
import { createImageExporter } from "./image/exporter.ts";
import { createMadeLayers } from "./image/made-layers.ts";
import { createLayerPacker } from "./image/pack-layers.ts";
import { createFilesExporter } from "./local/exporter.ts";
import { createDockerExporter, createOciExporter } from "./oci/exporter.ts";
import type { ExporterParts } from "./parts.ts";

/** By the types that can be asked for. */
export function createExporters(parts: ExporterParts): ReadonlyMap<string, Exporter> {
  const made = createMadeLayers(join(parts.directory, "layers"));
  const pack = createLayerPacker({ ...parts, made });
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

/** `registry` is `image` with another default. */
function pushed(image: Exporter): Exporter {
  const withPush = (attrs: Attrs) => ({ push: "true", ...attrs });
  return {
    type: "registry",
    check: async (attrs, session, call) => image.check?.(withPush(attrs), session, call),
    anticipate: async (layer, times, attrs, session, call) =>
      image.anticipate?.(layer, times, withPush(attrs), session, call),
    prepare: (result, attrs, session, call) =>
      image.prepare(result, withPush(attrs), session, call),
  };
}
