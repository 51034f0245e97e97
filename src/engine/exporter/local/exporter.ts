// Exporters `local` and `tar`: the result's files, handed to the asking side, which unpacks them or keeps the archive.
import type { Attrs, SharedFiles } from "../../../api/index.ts";
import type { Bytes } from "../../../base/index.ts";
import { announced } from "../announce.ts";
import { booleanAttribute, checkAttributeNames, wordAttribute } from "../attributes.ts";
import type { Exporter } from "../exporter.ts";
import { parseEpoch } from "../image/attributes.ts";
import { withFilesTar, withSharedFiles } from "./files-tar.ts";

const known = new Set([
  "attestation-prefix",
  "dest",
  "mode",
  "platform-split",
  "source-date-epoch",
]);

/** Times stay as they are unless an epoch is named: then later ones become it. */
export function createFilesExporter(type: "local" | "tar"): Exporter {
  return {
    type,
    knows: (attribute) => known.has(attribute),
    check: async (attrs) => void parseAttributes(attrs, false),
    async prepare(result, attrs, session) {
      const several = result.multiPlatform || result.platforms.length > 1;
      const { epoch, ...own } = parseAttributes(attrs, several);
      const options = { ...own, clamp: epoch ?? result.sourceDateEpoch };
      return {
        async finish(call) {
          const target = { index: result.output ?? 0, type };
          if (type === "local" && session.receiveFiles) {
            const take = async (files: SharedFiles) => session.receiveFiles?.(target, files, call);
            await announced("copying files", call, () =>
              withSharedFiles(result.platforms, options, take, call),
            );
          } else {
            const take = (tar: Bytes) => session.receive(target, tar, call);
            await announced("sending tarball", call, () =>
              withFilesTar(result.platforms, options, take, call),
            );
          }
          return {};
        },
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}

function parseAttributes(attrs: Attrs, several: boolean) {
  checkAttributeNames(attrs, (name) => known.has(name), [...known]);
  wordAttribute(attrs, "mode", ["copy", "delete"]);
  return {
    split: booleanAttribute(attrs, "platform-split", several),
    epoch: parseEpoch(attrs),
    attestationPrefix: attrs["attestation-prefix"] ?? "",
  };
}
