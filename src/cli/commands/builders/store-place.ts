// Where builders are kept: the directory that buildx uses.
import { join } from "node:path";
import { dockerDirectory } from "../../config/index.ts";

/** BUILDX_CONFIG, or `buildx` beside docker's configuration. */
export function storeDirectory(env: Readonly<Record<string, string | undefined>>): string {
  return env["BUILDX_CONFIG"] || join(dockerDirectory(env), "buildx");
}
