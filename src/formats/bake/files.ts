// Files of a bake, in the order in which they count: which syntax each is in, and what all of them say.
import { isKilnError, KilnError } from "../../base/index.ts";
import { type Body, parseHcl, parseHclJson, type Source } from "../hcl/index.ts";
import { bakeSchema, type ReadOptions, readBake } from "./read.ts";
import type { BakeDefinition } from "./target.ts";

/** What all files say together. Throws `BAKE_INVALID` with the mistakes of all of them. */
export function readBakeFiles(files: readonly Source[], options: ReadOptions): BakeDefinition {
  const mistakes: KilnError[] = [];
  const bodies: Body[] = [];
  for (const file of files) {
    try {
      bodies.push(parseFile(file));
    } catch (error) {
      if (!isKilnError(error)) throw error;
      mistakes.push(error, ...error.others);
    }
  }
  const [first, ...others] = mistakes;
  if (!first) return readBake(bodies, options);
  throw new KilnError(first.code, first.message, {
    others,
    details: first.details,
    ...(first.at === undefined ? {} : { at: first.at }),
  });
}

function parseFile(source: Source): Body {
  if (source.name.endsWith(".json")) return parseHclJson(source, bakeSchema);
  if (source.name.endsWith(".hcl")) return parseHcl(source);
  // Without a name that tells, JSON is what begins like it.
  return /^\s*\{/.test(source.text) ? parseHclJson(source, bakeSchema) : parseHcl(source);
}
