// What is attested where nobody says a word about it: nothing, unless Kiln stands in for docker buildx.
import { KilnError, parseBool } from "../../../base/index.ts";
import { standsInForBuildx, type World } from "../command.ts";

/** buildx's provenance for builds that ask for none: the short form, and only where it can be part of an image. */
export const defaultProvenance = "mode=min,inline-only=true";

/** Throws `FLAG_INVALID` for a BUILDX_NO_DEFAULT_ATTESTATIONS that is no boolean. */
export function attestsByDefault(world: Pick<World, "env">): boolean {
  if (!standsInForBuildx(world)) return false;
  const name = "BUILDX_NO_DEFAULT_ATTESTATIONS";
  const text = world.env[name];
  if (text === undefined) return true;
  const off = parseBool(text);
  if (off !== undefined) return !off;
  const why = `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`;
  throw new KilnError("FLAG_INVALID", `invalid ${name}: ${why}`, {
    details: { late: 1 },
    hint: "Write 1, or leave it out.",
  });
}
