// Exporter `image`: an image in the store and, if asked, under its names in registries.

import { join } from "node:path";
import type { Attrs, Session, StepCall } from "../../../api/index.ts";
import { type Call, KilnError, runAll } from "../../../base/index.ts";
import {
  formatReference,
  type Reference,
  repositoryName,
  withDefaultTag,
} from "../../../formats/oci/index.ts";
import { createBlobReader, createSharedBlobReader } from "../../../storage/image/index.ts";
import type { Registry } from "../../../storage/registry/index.ts";
import { announce, announced } from "../announce.ts";
import type { Exporter } from "../exporter.ts";
import type { ExporterParts } from "../parts.ts";
import {
  type ImageAttributes,
  isPushAttribute,
  type PushAttributes,
  parsePushAttributes,
  withAnnotations,
  withConfig,
} from "./attributes.ts";
import { type CreatedImage, createImage, documentsOf, packEarly } from "./create-image.ts";
import type { LayerPacker } from "./pack-layers.ts";
import { createPusher } from "./push.ts";
import { createPushJournal } from "./push-journal.ts";
import { imageResponse } from "./response.ts";
import type { MovedTags } from "./tag-phase.ts";

type Attributes = ImageAttributes & PushAttributes;

/**
 * Layers are packed side by side, and each is on its way to the registries as soon as it is packed; names are given last.
 * `pack` is shared with the other exporters, so that no layer is packed twice.
 */
export function createImageExporter(parts: ExporterParts, pack: LayerPacker): Exporter {
  return {
    type: "image",
    knows: isPushAttribute,
    check: (attrs, session, call) => checkPush(parts, attrs, session, call),
    anticipate: (layer, times, attrs, _session, call) =>
      packEarly(parts, pack, { layer, times, attributes: parsePushAttributes(attrs) }, call),
    async prepare(result, attrs, session, call) {
      const journal = createPushJournal(join(parts.directory, "pushes"));
      const untag = async (repository: string, tag: string, own: Call) => {
        const listing = parts.listing?.(registry, repository);
        if (!listing) throw new KilnError("UNSUPPORTED", "the registry is not asked to delete");
        await listing.deleteManifest(tag, own);
      };
      const attributes = withAnnotations(parsePushAttributes(attrs), result);
      const registry = parts.registry(session, { insecure: attributes.insecure });
      const { references } = attributes;
      const several = new Set(references.map(repositoryName)).size > 1;
      const read = (several ? createSharedBlobReader : createBlobReader)({ ...parts, registry });
      const pusher = attributes.push
        ? createPusher({ registry, references, origins: parts.origins, read, journal, untag }, call)
        : undefined;
      let moved: MovedTags | undefined;
      try {
        const onBlob = pusher?.send;
        const options = { attributes, read, ...(onBlob ? { onBlob } : {}) };
        const create = (own: StepCall) =>
          createImage(parts, pack, withConfig(result, attributes), options, own);
        const image = await (pusher ? pusher.during(create) : create(call));
        const children = [...image.images, ...image.attestations].map((one) => one.manifest);
        const stage = () => pusher?.stage(children, image.root, !attributes.pushByDigest);
        if (pusher) await announced("pushing layers", call, async () => stage());
        if (pusher) await addReferrers(parts, registry, attributes, image, call);
        return {
          descriptor: image.root.descriptor,
          documents: documentsOf(image),
          async finish(finishing) {
            if (!attributes.pushByDigest) moved = await pusher?.tag(image.root);
            if (attributes.store) recordNames(parts, attributes, image, finishing);
            const name = attributes.name || storeNames(attributes, image.root.descriptor.digest)[0];
            return imageResponse(name, image);
          },
          keep() {
            moved?.keep();
            moved = undefined;
          },
          async [Symbol.asyncDispose]() {
            await pusher?.[Symbol.asyncDispose]();
            await moved?.undo();
          },
        };
      } catch (error) {
        await pusher?.[Symbol.asyncDispose]();
        throw error;
      }
    },
  };
}

/** Lets registries that do not look for subjects by themselves know what refers to the images. */
async function addReferrers(
  { listing }: ExporterParts,
  registry: Registry,
  { references, attestationStore }: Attributes,
  { attestations }: CreatedImage,
  call: Call,
): Promise<void> {
  if (attestationStore !== "referrers" || !listing) return;
  await runAll(
    [...new Set(references.map(repositoryName))],
    async (repository, c) => {
      for (const { subject, entry } of attestations) {
        const { platform: _, ...referrer } = entry;
        await listing(registry, repository)?.addReferrer(subject.digest, referrer, c);
      }
    },
    call,
  );
}

async function checkPush(
  parts: ExporterParts,
  attrs: Attrs,
  session: Session,
  call: Call,
): Promise<void> {
  const attributes = parsePushAttributes(attrs);
  if (!attributes.push) return;
  const registry = parts.registry(session, { insecure: attributes.insecure });
  const repositories = [...new Set(attributes.references.map(repositoryName))];
  await runAll(repositories, (repository, c) => registry.checkPush(repository, c), call);
}

/** Milliseconds for which a record of the same image need not be written, and flushed to the disk, again. */
const recordLifetime = 3600 * 1000;

function recordNames(
  parts: ExporterParts,
  attributes: Attributes,
  { root }: CreatedImage,
  call: StepCall,
): void {
  const createdAt = parts.now();
  const { digest } = root.descriptor;
  for (const name of storeNames(attributes, digest)) {
    announce(`naming to ${name}`, call);
    const known = parts.records.get(name);
    const age = createdAt.getTime() - (known?.createdAt.getTime() ?? 0);
    if (known?.descriptor.digest === digest && age >= 0 && age < recordLifetime) continue;
    parts.records.set({ name, descriptor: root.descriptor, createdAt });
  }
}

function storeNames(attributes: Attributes, digest: string): readonly string[] {
  const { references, danglingPrefix, nameCanonical } = attributes;
  if (references.length === 0) return danglingPrefix ? [`${danglingPrefix}@${digest}`] : [];
  return references.flatMap((reference: Reference) => {
    const name = formatReference(withDefaultTag(reference));
    return nameCanonical ? [name, `${name}@${digest}`] : [name];
  });
}
