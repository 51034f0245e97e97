// kiln manifest push: puts a local list, and what it lists from other repositories, in a registry.
import { KilnError } from "../../../base/index.ts";
import { copyImage } from "../../../storage/image/index.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";
import { openPlaces, type Place, type Places } from "./image-places.ts";
import { mountFrom, tagImage } from "./image-targets.ts";
import { checkPlatform, listDocument, listName, manifestStore } from "./manifest-images.ts";
import type { ListedManifest } from "./manifest-store.ts";

export const manifestPush: Command = defineCommand({
  spec: {
    path: ["manifest", "push"],
    argsUsage: "MANIFEST_LIST",
    args: { min: 1, max: 1 },
    summary: "Push a manifest list to a repository",
    flags: {
      insecure: { type: "bool", usage: "Allow push to an insecure registry" },
      purge: { type: "bool", short: "p", usage: "Remove the local manifest list after push" },
    },
  },
  async run({ values }, [target = ""], world) {
    const store = manifestStore(world);
    const list = listName(target);
    const manifests = store.list(list);
    if (!manifests?.length) {
      throw new KilnError("IMAGE_NOT_FOUND", `there is no manifest list ${list}`, {
        hint: `Make it first: kiln manifest create ${target} IMAGE...`,
      });
    }
    for (const { descriptor, ref } of manifests)
      checkPlatform(descriptor.platform ?? { os: "", architecture: "" }, ref);
    using places = await openPlaces(world, { insecure: values.insecure });
    const place = places.place(list);
    for (const manifest of manifests) await bringOver(manifest, place, places, world);
    const combined = listDocument(manifests.map(({ descriptor }) => descriptor));
    await tagImage(place, place.tag ?? "latest", combined, world.call);
    world.stdout.write(`${combined.descriptor.digest}\n`);
    if (values.purge) store.remove(list);
    return 0;
  },
});

/** An image from another repository is mounted or copied, and said to be. */
async function bringOver(
  { ref, descriptor }: ListedManifest,
  target: Place,
  places: Places,
  world: RunWorld,
): Promise<void> {
  const source = places.place(ref);
  if (source.repository === target.repository) return;
  const request = { from: source.pull(), to: target.push(), mountFrom: mountFrom(source, target) };
  await copyImage(descriptor, request, world.call);
  world.stdout.write(
    `Pushed ref ${target.repository}@${descriptor.digest} with digest: ${descriptor.digest}\n`,
  );
}
