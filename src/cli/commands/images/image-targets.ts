// Putting a combined image under its names: everything by digest everywhere first, the tags last, each read back.
import { type Call, KilnError, runAll } from "../../../base/index.ts";
import { type Descriptor, isIndexType, isTag, parseIndex } from "../../../formats/oci/index.ts";
import { type Combined, type CopyOutcome, copyImage } from "../../../storage/image/index.ts";
import type { Place } from "./image-places.ts";

/** One repository and the tags that it gets. */
export interface ImageTarget {
  readonly place: Place;
  readonly tags: readonly string[];
}

/** What a source holds, and where it is. */
export interface Holder {
  readonly place: Place;
  readonly descriptor: Descriptor;
  readonly index: { readonly manifests: readonly Descriptor[] } | undefined;
}

/** Told what happens, line by line. */
export type Say = (line: string) => void;

/** Each repository once, in the order given. Throws `FLAG_INVALID` for names with a digest. */
export function groupTargets(places: readonly Place[]): readonly ImageTarget[] {
  const targets = new Map<string, { place: Place; tags: string[] }>();
  for (const place of places) {
    if (place.digest !== undefined) {
      throw new KilnError(
        "FLAG_INVALID",
        `${place.name}: a digest cannot be chosen: it comes from the contents`,
        {
          hint: "Leave out @sha256:...",
        },
      );
    }
    const known = targets.get(place.repository) ?? { place, tags: [] };
    const tag = place.tag ?? "latest";
    if (!known.tags.includes(tag)) known.tags.push(tag);
    targets.set(place.repository, known);
  }
  return [...targets.values()];
}

/** Copies what the image leads to, and the image under its digest. */
export async function stageImage(
  target: Place,
  combined: Combined,
  holders: readonly Holder[],
  say: Say,
  call: Call,
): Promise<void> {
  const { descriptor, data } = combined;
  const to = target.push();
  const parts = isIndexType(descriptor.mediaType)
    ? parseIndex(data, descriptor.mediaType).manifests
    : [descriptor];
  await runAll(
    parts,
    async (part, c) => {
      const holder = holders.find((one) => holds(one, part));
      if (!holder) throw new Error(`no source has ${part.digest}`);
      if (holder.place.repository === target.repository) return;
      say(`copying ${part.digest} from ${holder.place.repository} to ${target.repository}`);
      const onCopied = (copied: Descriptor, outcome: CopyOutcome) => {
        if (outcome !== "exists") say(`${outcome} ${copied.digest}`);
      };
      const from = holder.place.pull();
      await copyImage(part, { from, to, mountFrom: mountFrom(holder.place, target), onCopied }, c);
    },
    call,
  );
  await to.writeManifest(descriptor, data, undefined, call);
}

function holds({ descriptor, index }: Holder, { digest }: Descriptor): boolean {
  return (
    descriptor.digest === digest || (index?.manifests.some((one) => one.digest === digest) ?? false)
  );
}

/** Blobs can be mounted within one registry only. */
export function mountFrom(source: Place, target: Place): readonly string[] {
  return source.reference && target.reference ? [source.repository] : [];
}

/** Throws `REGISTRY_FAILED` when the tag does not stand for the image afterwards. */
export async function tagImage(
  target: Place,
  tag: string,
  { descriptor, data }: Combined,
  call: Call,
): Promise<void> {
  if (!isTag(tag)) throw new KilnError("REFERENCE_INVALID", `not a tag: ${JSON.stringify(tag)}`);
  const to = target.push();
  await to.writeManifest(descriptor, data, tag, call);
  const found = await to.resolve(tag, call);
  if (found?.digest === descriptor.digest) return;
  const other = found ? `stands for ${found.digest}` : "is not there";
  throw new KilnError(
    "REGISTRY_FAILED",
    `${target.repository}:${tag} was pushed as ${descriptor.digest}, but ${other} now`,
    { hint: "Somebody else may have pushed the same name at the same moment." },
  );
}
