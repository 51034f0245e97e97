// kiln manifest inspect: a local list, an image of one, or what a registry has, as docker prints them.
import { goJson, KilnError, runAll } from "../../../base/index.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";
import { openPlaces, type Places } from "./image-places.ts";
import {
  fetchDocument,
  fetchEntry,
  insecureFlag,
  listDocument,
  listName,
  manifestStore,
} from "./manifest-images.ts";
import { type ListedManifest, manifestJson } from "./manifest-store.ts";

export const manifestInspect: Command = defineCommand({
  spec: {
    path: ["manifest", "inspect"],
    argsUsage: "[MANIFEST_LIST] MANIFEST",
    args: { min: 1, max: 2 },
    summary: "Display an image manifest, or manifest list",
    flags: {
      insecure: insecureFlag,
      verbose: {
        type: "bool",
        short: "v",
        usage: "Output additional info including layers and platform",
      },
    },
  },
  async run({ values }, args, world) {
    const [first = "", second] = args.map(listName);
    const store = manifestStore(world);
    const { verbose } = values;
    if (second !== undefined) {
      const manifest = store.get(first, second);
      if (!manifest)
        throw new KilnError("IMAGE_NOT_FOUND", `the manifest list ${first} has no image ${second}`);
      world.stdout.write(imageText(manifest, verbose));
      return 0;
    }
    const local = store.list(first);
    if (local) {
      world.stdout.write(listText(local, verbose));
      return 0;
    }
    using places = await openPlaces(world, { insecure: values.insecure });
    world.stdout.write(await remoteText(first, places, verbose, world));
    return 0;
  },
});

function imageText(manifest: ListedManifest, verbose: boolean): string {
  const raw = JSON.parse(new TextDecoder().decode(manifest.raw)) as unknown;
  return `${verbose ? goJson(manifestJson(manifest), "\t") : JSON.stringify(raw, undefined, "\t")}\n`;
}

function listText(manifests: readonly ListedManifest[], verbose: boolean): string {
  if (verbose) return `${goJson(manifests.map(manifestJson), "\t")}\n`;
  const { data } = listDocument(manifests.map(({ descriptor }) => descriptor));
  return `${new TextDecoder().decode(data)}\n`;
}

async function remoteText(
  name: string,
  places: Places,
  verbose: boolean,
  world: RunWorld,
): Promise<string> {
  const document = await fetchDocument(name, places, world);
  // Docker calls it by the name that was asked for.
  if (document.kind === "manifest") return imageText({ ...document.manifest, ref: name }, verbose);
  const { manifests } = document.index;
  if (!verbose) return `${new TextDecoder().decode(listDocument(manifests).data)}\n`;
  const all = await runAll(
    manifests,
    (entry, call) => fetchEntry(name, entry, places, { ...world, call }),
    world.call,
  );
  return listText(all, true);
}
