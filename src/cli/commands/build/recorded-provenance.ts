// Provenance of builds that were made elsewhere: the builder's record of a build has it, whether it was asked for or not.
import type { BuildHistory, BuildPlace, BuildRecord, RecordedBlob } from "../../../api/index.ts";
import { type Call, isKilnError, isRecord, readAll } from "../../../base/index.ts";

const predicateKey = "in-toto.io/predicate-type";
const provenancePrefix = "https://slsa.dev/provenance/";
/** Bytes of one platform's provenance: more than this is no provenance that anybody reads. */
const maxProvenance = 32 << 20;

/**
 * Predicates by platform (empty for a result that names none), of whichever version the builders wrote. What a builder does
 * not remember is left out, as the reference does: it says nothing about whether the build went well.
 */
export async function recordedProvenance(
  places: readonly BuildPlace[],
  call: Call,
): Promise<Readonly<Record<string, unknown>>> {
  const found: [string, unknown][] = [];
  for (const { history, ref } of places) {
    const record = history && (await completed(history, ref, call));
    if (!record) continue;
    for (const [key, { attestations }] of Object.entries(record.results ?? {})) {
      const blob = attestations.find((one) =>
        one.annotations?.[predicateKey]?.startsWith(provenancePrefix),
      );
      const predicate = blob && (await readPredicate(history, blob, call));
      // Of several nodes, each has built one platform, and says nothing of others.
      const platform = key || (places.length > 1 ? (record.attrs["platform"] ?? "") : "");
      if (predicate !== undefined) found.push([platform, predicate]);
    }
  }
  return Object.fromEntries(found);
}

async function completed(
  history: BuildHistory,
  ref: string,
  call: Call,
): Promise<BuildRecord | undefined> {
  try {
    for await (const { type, record } of history.listen({ ref, earlyExit: true }, call))
      if (type === "complete" && record.ref === ref) return record;
  } catch (error) {
    if (!isKilnError(error)) throw error;
  }
  return undefined;
}

/** Either the predicate alone, as records have it, or a whole statement. */
async function readPredicate(
  history: BuildHistory,
  { digest }: RecordedBlob,
  call: Call,
): Promise<unknown> {
  try {
    const blob = await history.blob(digest, call);
    if (!blob) return undefined;
    const data = await readAll(blob.data, maxProvenance, `provenance ${digest}`);
    const value: unknown = JSON.parse(new TextDecoder().decode(data));
    return isRecord(value) && isRecord(value["predicate"]) ? value["predicate"] : value;
  } catch (error) {
    if (isKilnError(error) || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
