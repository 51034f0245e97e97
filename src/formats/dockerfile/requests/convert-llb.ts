// The sub-request `frontend.convertllb`: what a file becomes, as JSON.
import { type DefinitionJson, definitionJson } from "../../llb/index.ts";
import { convertDockerfile } from "../convert/convert.ts";
import type { ConvertIo, ConvertOptions } from "../convert/options.ts";

/** Converts as for a build. Throws what a conversion throws. */
export async function dumpDockerfile(
  data: Uint8Array,
  options: ConvertOptions,
  io: ConvertIo,
): Promise<DefinitionJson> {
  const { definition = { ops: [] } } = await convertDockerfile(data, options, io);
  return definitionJson(definition);
}
