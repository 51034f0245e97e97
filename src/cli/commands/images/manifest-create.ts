// kiln manifest create: begins a list of images, kept here until it is pushed.
import { KilnError, runAll } from "../../../base/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { openPlaces } from "./image-places.ts";
import { fetchDocument, insecureFlag, listName, manifestStore } from "./manifest-images.ts";

export const manifestCreate: Command = defineCommand({
  spec: {
    path: ["manifest", "create"],
    argsUsage: "MANIFEST_LIST MANIFEST [MANIFEST...]",
    args: { min: 2, max: Number.POSITIVE_INFINITY },
    summary: "Create a local manifest list for annotating and pushing to a registry",
    about: "`kiln imagetools create` does the same, pushes included, in one go.",
    examples: [
      {
        what: "Join the images of two processors, and push the list",
        run: "kiln manifest create registry/app:1 registry/app:1-amd64 registry/app:1-arm64\n  kiln manifest push registry/app:1",
      },
    ],
    flags: {
      amend: { type: "bool", short: "a", usage: "Amend an existing manifest list" },
      insecure: insecureFlag,
    },
  },
  async run({ values }, [target = "", ...images], world) {
    const store = manifestStore(world);
    const list = listName(target);
    const names = images.map(listName);
    if (store.list(list)?.length && !values.amend) {
      throw new KilnError("FLAG_INVALID", `there is a manifest list ${list} already`, {
        hint: `Add to it with --amend, or remove it first: kiln manifest rm ${target}`,
      });
    }
    using places = await openPlaces(world, { insecure: values.insecure });
    const found = await runAll(
      names,
      async (name, call) => {
        const document = await fetchDocument(name, places, { ...world, call });
        if (document.kind === "manifest") return document.manifest;
        throw new KilnError("IMAGE_INVALID", `${name} is a manifest list`, {
          hint: `Name one of its images by digest, or join lists with: kiln imagetools create -t ${target} ...`,
        });
      },
      world.call,
    );
    for (const [i, manifest] of found.entries()) store.save(list, names[i] ?? "", manifest);
    world.stdout.write(`Created manifest list ${list}\n`);
    return 0;
  },
});
