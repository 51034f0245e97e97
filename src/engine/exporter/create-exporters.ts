// All exporters by type, made of the same parts; adding one is a folder and a line here.
import { join } from "node:path";
import type { ExportRequest, Session } from "../../api/index.ts";
import { type Call, closest, KilnError, runAll } from "../../base/index.ts";
import type { Exporter } from "./exporter.ts";
import { checkImageExport, createImageExporter } from "./image/exporter.ts";
import { createMadeLayers } from "./image/made-layers.ts";
import { createLayerPacker } from "./image/pack-layers.ts";
import type { ExporterParts } from "./parts.ts";

export interface Exporters {
  /** Throws `UNSUPPORTED` for a type that does not exist. */
  get(type: string): Exporter;
  /**
   * Throws what would make one of the exports fail and can be known before anything is built: unknown types, wrong
   * attributes, registries that cannot be reached or refuse.
   */
  check(requests: readonly ExportRequest[], session: Session, call: Call): Promise<void>;
}

export function createExporters(parts: ExporterParts): Exporters {
  const made = createMadeLayers(join(parts.directory, "layers"));
  const pack = createLayerPacker({ ...parts, made });
  const list: readonly Exporter[] = [createImageExporter(parts, pack)];
  const get = (type: string) => list.find((one) => one.type === type) ?? refuse(type, list);
  return {
    get,
    async check(requests, session, call) {
      await runAll(
        requests,
        async (request, c) => {
          const { type } = get(request.type);
          if (type === "image") await checkImageExport(parts, request.attrs, session, c);
        },
        call,
      );
    },
  };
}

function refuse(type: string, list: readonly Exporter[]): never {
  const types = list.map((one) => one.type);
  const near = closest(type, types);
  throw new KilnError("UNSUPPORTED", `there is no output type ${JSON.stringify(type)}`, {
    hint: near === undefined ? `Use one of ${types.join(", ")}.` : `Did you mean ${near}?`,
  });
}
