// The attributes of a local source (features.md D-35). Those that are not listed say how files travel, not which.
import type { Attrs, FileFilter } from "../../../api/index.ts";
import { KilnError } from "../../../base/index.ts";

/** Which files are wanted. Throws `DEFINITION_INVALID` for lists that are none. */
export function parseLocalFilter(attrs: Attrs): FileFilter {
  const include = parseList(attrs, "local.includepattern");
  const exclude = parseList(attrs, "local.excludepatterns");
  const follow = parseList(attrs, "local.followpaths");
  return {
    ...(include ? { include } : {}),
    ...(exclude ? { exclude } : {}),
    ...(follow ? { followPaths: follow } : {}),
  };
}

/** A list of strings in JSON; undefined for none. Throws `DEFINITION_INVALID`. */
export function parseList(attrs: Attrs, name: string): readonly string[] | undefined {
  const text = attrs[name];
  if (text === undefined || text === "") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid(name);
  }
  // Go writes a list that was never made as null.
  if (value === null) return undefined;
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value;
  throw invalid(name);
}

function invalid(name: string): KilnError {
  return new KilnError(
    "DEFINITION_INVALID",
    `source attribute ${name} is not a JSON list of strings`,
  );
}
