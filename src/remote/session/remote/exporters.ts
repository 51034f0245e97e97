// Exporters that the asking side chooses when it is known what was built.
import type { Session } from "../../../api/index.ts";
import { KilnError } from "../../../base/index.ts";
import { exporter } from "../../../formats/proto/index.ts";
import {
  type Channel,
  createClient,
  fromStatus,
  StatusError,
  statusCodes,
} from "../../grpc/index.ts";
import { resultMetadata } from "../gateway-result.ts";

/** Exporters that one side may choose. */
const maxExporters = 64;

const service = "/moby.exporter.v1.Exporter";

/** Nothing where the session offers no such service. A side that has nobody to choose says so by its status. */
export function remoteExporters(
  channel: Channel,
  offers: (method: string) => boolean,
): Pick<Session, "findExporters" | "finalizeExport"> {
  if (!offers(`${service}/FindExporters`)) return {};
  const client = createClient(exporter.ExporterDefinition, channel);
  return {
    async findExporters(result, refs, call) {
      const request = { metadata: resultMetadata(result), refs: [...refs] };
      const answer = await orNothing(() => client.findExporters(request, call));
      const found = answer?.exporters ?? [];
      if (found.length > maxExporters)
        throw new KilnError(
          "REQUEST_INVALID",
          `the session chose more than ${maxExporters} exporters`,
        );
      return found.map(({ Type, Attrs }) => ({ type: Type, attrs: Object.fromEntries(Attrs) }));
    },
    async finalizeExport(response, call) {
      if (!offers(`${service}/FinalizeExport`)) return;
      const ExporterResponse = new Map(Object.entries(response));
      await orNothing(() => client.finalizeExport({ ExporterResponse }, call));
    },
  };
}

async function orNothing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    const { UNAVAILABLE, UNIMPLEMENTED } = statusCodes;
    if (error.code === UNAVAILABLE || error.code === UNIMPLEMENTED) return undefined;
    throw fromStatus(error);
  }
}
