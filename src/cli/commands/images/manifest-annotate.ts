// kiln manifest annotate: says for which platform an image of a local list is.
import { KilnError } from "../../../base/index.ts";
import type { Platform } from "../../../formats/oci/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { checkPlatform, listName, manifestStore } from "./manifest-images.ts";

export const manifestAnnotate: Command = defineCommand({
  spec: {
    path: ["manifest", "annotate"],
    argsUsage: "MANIFEST_LIST MANIFEST",
    args: { min: 2, max: 2 },
    summary: "Add additional information to a local image manifest",
    flags: {
      arch: { type: "string", usage: "Set architecture" },
      os: { type: "string", usage: "Set operating system" },
      "os-features": { type: "stringSlice", usage: "Set operating system feature" },
      "os-version": { type: "string", usage: "Set operating system version" },
      variant: { type: "string", usage: "Set architecture variant" },
    },
  },
  async run({ values }, [target = "", image = ""], world) {
    const store = manifestStore(world);
    const [list, name] = [listName(target), listName(image)];
    const manifest = store.get(list, name);
    if (!manifest) {
      throw new KilnError("IMAGE_NOT_FOUND", `the manifest list ${list} has no image ${name}`, {
        hint: `Add it first: kiln manifest create --amend ${target} ${image}`,
      });
    }
    const { descriptor } = manifest;
    const platform: Platform = {
      ...descriptor.platform,
      os: values.os || descriptor.platform?.os || "",
      architecture: values.arch || descriptor.platform?.architecture || "",
      ...(values.variant === "" ? {} : { variant: values.variant }),
      ...(values["os-version"] === "" ? {} : { osVersion: values["os-version"] }),
      ...(values["os-features"].length === 0
        ? {}
        : {
            osFeatures: [
              ...new Set([...(descriptor.platform?.osFeatures ?? []), ...values["os-features"]]),
            ],
          }),
    };
    checkPlatform(platform, name);
    store.save(list, name, { ...manifest, descriptor: { ...descriptor, platform } });
    return 0;
  },
});
