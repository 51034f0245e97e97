// --cache-from and --cache-to: `REF` or `type=TYPE[,KEY=VALUE...]`.
import { cutPair, readCsv, sortedPairs, writeCsv } from "../../base/index.ts";
import { invalidValue } from "./values.ts";

/** Where cache comes from or goes to. */
export interface CacheEntry {
  readonly type: string;
  readonly attrs: Readonly<Record<string, string>>;
}

/** Reads the values of `flag`. Values without `=` are image names, several of them where commas stand between. */
export function parseCacheEntries(values: readonly string[], flag: string): readonly CacheEntry[] {
  return values
    .filter((value) => value !== "")
    .flatMap((value) =>
      value.includes("=") ? [parseEntry(value, flag)] : readCsv(value).map(registryEntry),
    );
}

function registryEntry(ref: string): CacheEntry {
  return { type: "registry", attrs: { ref } };
}

function parseEntry(text: string, flag: string): CacheEntry {
  let type = "";
  const attrs: Record<string, string> = {};
  for (const field of readCsv(text)) {
    const pair = cutPair(field);
    if (!pair)
      throw invalidValue(flag, text, `${JSON.stringify(field)} is not of the form key=value`);
    const key = pair[0].toLowerCase();
    if (key === "type") type = pair[1];
    else attrs[key] = pair[1];
  }
  if (type === "")
    throw invalidValue(
      flag,
      text,
      "type is required",
      `Write an image name, or type=registry,ref=...`,
    );
  return { type, attrs };
}

/** The text buildx prints for an entry: a lone registry reference stands for itself. */
export function cacheEntryText(entry: CacheEntry): string {
  const ref = entry.attrs["ref"];
  if (entry.type === "registry" && ref !== undefined && Object.keys(entry.attrs).length === 1)
    return ref;
  return writeCsv([["type", entry.type], ...sortedPairs(entry.attrs)]);
}
