// An OCI layout that the asking side lends, as if it were a repository: images in it are found and read like any others.
import type { LentLayout, Session } from "../../../api/index.ts";
import {
  type Call,
  isDigest,
  KilnError,
  parseDigest,
  readAll,
  verified,
} from "../../../base/index.ts";
import {
  type Descriptor,
  maxManifestSize,
  parseManifestDocument,
} from "../../../formats/oci/index.ts";
import type { PullRepository, Registry } from "../../../storage/registry/index.ts";

/** No registry's host: it has no dot and no port. */
const layoutHost = "oci-layout";

/** The name under which a lent layout's blobs are remembered, as others are under their repository. */
export function layoutOrigin(store: string): string {
  return `${layoutHost}/${store}`;
}

/** The registry, with the session's layouts among its repositories. */
export function withLayouts(registry: Registry, session: Session): Registry {
  return {
    pull: (repository) =>
      repository.startsWith(`${layoutHost}/`)
        ? layoutRepository(repository.slice(layoutHost.length + 1), session)
        : registry.pull(repository),
    push: (repository) => registry.push(repository),
    checkPush: (repository, call) => registry.checkPush(repository, call),
  };
}

function layoutRepository(store: string, session: Session): PullRepository {
  const layout = () => {
    const found = session.layout?.(store);
    if (found) return found;
    throw new KilnError(
      "CONTEXT_NOT_FOUND",
      "an OCI layout that was used before is not lent to this build",
      {
        hint: "Name it again with --build-context NAME=oci-layout://PATH, or build with --no-cache.",
      },
    );
  };
  const read = (blob: Descriptor, call: Call) => readBlob(layout(), blob, call);
  return {
    has: async (digest, call) => (await layout().size(digest, call)) !== undefined,
    blobSize: (digest, call) => layout().size(digest, call),
    read,
    resolve: (reference, call) => rootOf(layout(), reference, call),
    readManifest: (blob, call) =>
      readAll(read(blob, call), maxManifestSize, `manifest ${blob.digest}`),
    writeManifest: () => Promise.reject(new Error("a lent layout is not written to")),
  };
}

async function* readBlob(layout: LentLayout, blob: Descriptor, call: Call) {
  const size = await layout.size(blob.digest, call);
  if (size === undefined) throw missing(layout, blob.digest);
  yield* verified(
    layout.read(blob.digest, call),
    blob.digest,
    blob.size,
    `blob ${blob.digest} of ${layout.place}`,
  );
}

/** A layout says of a blob only how long it is: what kind of document it is, it says itself. */
async function rootOf(layout: LentLayout, reference: string, call: Call): Promise<Descriptor> {
  if (!isDigest(reference)) {
    throw new KilnError(
      "DEFINITION_INVALID",
      `an image of an OCI layout needs a digest, not ${reference}`,
    );
  }
  const digest = parseDigest(reference);
  const size = await layout.size(digest, call);
  if (size === undefined) throw missing(layout, digest);
  const what = `manifest ${digest} of ${layout.place}`;
  const data = await readAll(
    verified(layout.read(digest, call), digest, size, what),
    maxManifestSize,
    what,
  );
  const document = parseManifestDocument(data);
  const { mediaType } = document.kind === "index" ? document.index : document.manifest;
  return { mediaType, digest, size };
}

function missing(layout: LentLayout, digest: string): KilnError {
  return new KilnError("IMAGE_NOT_FOUND", `the OCI layout ${layout.place} has no blob ${digest}`, {
    hint: "Check the digest; where only some platforms were copied, copy the others too.",
  });
}
