// --platform: repeatable, and a list separated by commas in each.
import { formatPlatformFully, type Platform, parsePlatformList } from "../../formats/oci/index.ts";

/** Reads the values of `--platform`, normalised, each platform once in the order given. Empty values say nothing. */
export function parsePlatforms(values: readonly string[], host: Platform): readonly Platform[] {
  const all = values
    .filter((value) => value !== "")
    .flatMap((value) => parsePlatformList(value, host));
  return [...new Map(all.map((platform) => [formatPlatformFully(platform), platform])).values()];
}
