// Images exported as directories (`type=oci,tar=false,dest=DIRECTORY`), lent to a daemon as a store of blobs.
import { Buffer } from "node:buffer";
import { resolve } from "node:path";
import type { Attrs, BuildRequest, Session } from "../../api/index.ts";
import { type Call, KilnError, parseBool, readAll } from "../../base/index.ts";
import {
  maxManifestSize,
  parseDescriptor,
  parseReference,
  withDefaultTag,
} from "../../formats/oci/index.ts";
import { openOciLayout } from "../../storage/image/index.ts";
import { lentStore, withStores } from "./local-caches.ts";

/** A build's directories as the daemon is to see them. */
export interface LocalExports {
  /** Lends the directory, besides what it lends anyway. */
  readonly session: Session;
  /** Writes down in the directory which image it holds. */
  finish(response: Attrs, call: Call): Promise<void>;
}

/** The name under which the reference's client lends it; there is one for all outputs. */
const storeName = "export";

/** Throws `UNSUPPORTED` for two such outputs: the daemon could not tell them apart. */
export function lendExports(request: BuildRequest, session: Session): LocalExports {
  const directories = request.exporters.flatMap(({ type, attrs: { tar = "", dest = "" } }) =>
    (type === "oci" || type === "docker") && parseBool(tar) === false && dest !== ""
      ? [resolve(dest)]
      : [],
  );
  const [directory, second] = directories;
  if (directory === undefined) return { session, finish: async () => {} };
  if (second !== undefined)
    throw new KilnError("UNSUPPORTED", "only one output of a remote build can be an OCI layout");
  return {
    session: withStores(session, new Map([[storeName, lentStore(directory)]])),
    async finish(response, call) {
      const encoded = response["containerimage.descriptor"];
      if (encoded === undefined) return;
      const document: unknown = JSON.parse(Buffer.from(encoded, "base64").toString("utf8"));
      const manifest = parseDescriptor(document, "containerimage.descriptor");
      const names = (response["image.name"] ?? "").split(",").filter((name) => name !== "");
      for (const text of names.length > 0 ? names : [undefined]) {
        const name = text === undefined ? undefined : withDefaultTag(parseReference(text));
        const layout = openOciLayout(directory, { create: true, ...(name ? { name } : {}) });
        const data = await readAll(layout.read(manifest, call), maxManifestSize, "manifest");
        await layout.writeManifest(manifest, data, name?.tag ?? "latest", call);
      }
    },
  };
}
