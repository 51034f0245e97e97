// --tag: `[registry/]repository[:tag]`, the image's names.
import { formatReference, parseReference, withDefaultTag } from "../../formats/oci/index.ts";
import { invalidValue } from "./values.ts";

/** Reads the values of `--tag`: complete names with their tags, each once, in the order given. */
export function parseTags(values: readonly string[]): readonly string[] {
  return [...new Set(values.filter((value) => value !== "").map(parseTag))];
}

/** One name, completed. Throws `REFERENCE_INVALID`, or `FLAG_INVALID` where the name has a digest. */
export function parseTag(value: string): string {
  const reference = parseReference(value);
  if (reference.digest !== undefined) {
    throw invalidValue(
      "--tag",
      value,
      "a digest cannot be chosen: it comes from the contents",
      "Leave out @sha256:...",
    );
  }
  return formatReference(withDefaultTag(reference));
}
