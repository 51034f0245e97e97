// --build-context: `NAME=PATH|URL|docker-image://REF|oci-layout://PATH[:TAG][@DIGEST]`.

import { cutPair } from "../../base/index.ts";
import { familiarReference, parseReference } from "../../formats/oci/index.ts";
import { invalidValue } from "./values.ts";

/** Reads the values of `--build-context`: sources by name. Names are image names without their default tag. */
export function parseBuildContexts(values: readonly string[]): Readonly<Record<string, string>> {
  const contexts: Record<string, string> = {};
  for (const value of values) {
    const pair = cutPair(value);
    if (!pair) throw invalidValue("--build-context", value, "expected name=source");
    contexts[contextName(pair[0], value)] = pair[1];
  }
  return contexts;
}

function contextName(name: string, value: string): string {
  // `name::linux/arm64` is for one platform only: what stands behind the colons is no part of an image name.
  const [base = "", platform] = name.split("::");
  const familiar = familiarReference(reading(base, value)).replace(/:latest$/, "");
  return platform === undefined ? familiar : `${familiar}::${platform}`;
}

function reading(name: string, value: string): ReturnType<typeof parseReference> {
  try {
    return parseReference(name);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw invalidValue(
      "--build-context",
      value,
      `the context's name must have the form of an image name: ${why}`,
    );
  }
}
