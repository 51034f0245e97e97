// Schemes `docker-image+blob` and `oci-layout+blob`: one blob of a repository or of a lent layout, by its digest, as a file.
import type { Session, StepCall } from "../../../api/index.ts";
import {
  type Bytes,
  bytesOf,
  type Call,
  type Digest,
  digestOf,
  KilnError,
  parseDigest,
} from "../../../base/index.ts";
import {
  formatReference,
  parseReference,
  type Reference,
  repositoryName,
} from "../../../formats/oci/index.ts";
import type { PullRepository, Registry } from "../../../storage/registry/index.ts";
import type { Snapshotter } from "../../../storage/snapshot/index.ts";
import { parseFileShape } from "../http/attributes.ts";
import { safeName } from "../http/file-name.ts";
import { layoutOrigin } from "../oci-layout/repository.ts";
import { singleFile } from "../single-file.ts";
import type { Source, SourceId } from "../source.ts";

export interface BlobSourceOptions {
  /** A client that asks this session for credentials. */
  registry(session: Session): Registry;
  readonly snapshotter: Snapshotter;
}

/** The sources of both schemes. */
export function createBlobSources(options: BlobSourceOptions): readonly Source[] {
  return ["docker-image+blob", "oci-layout+blob"].map((scheme) => ({
    scheme,
    resolve: async (id, session) => resolve(id, session, options),
  }));
}

/** What is asked for is known by its digest: nothing is looked up before it is fetched. */
function resolve(id: SourceId, session: Session, { registry, snapshotter }: BlobSourceOptions) {
  const reference = parseReference(id.rest);
  if (reference.digest === undefined) {
    throw new KilnError(
      "DEFINITION_INVALID",
      `a blob is named by its digest, not ${id.rest.slice(0, 200)}`,
    );
  }
  const digest = parseDigest(reference.digest);
  const { filename, mode, uid, gid } = parseFileShape(id.attrs);
  const name = safeName(filename === "" ? digest.slice(digest.indexOf(":") + 1) : filename);
  const origin = originOf(id, reference);
  const lender = (id.attrs["oci.session"] && session.peer?.(id.attrs["oci.session"])) || session;
  return {
    cacheKey: digestOf(JSON.stringify(["kiln.blob.v1", digest, name, mode, uid, gid])),
    pin: formatReference(reference),
    async fetch(call: StepCall) {
      const data = readBlob(registry(lender).pull(origin), digest, id.rest, call);
      const file = { name, mode, uid, gid, modified: new Date(0) };
      return singleFile(file, data, snapshotter, call);
    },
  };
}

function originOf({ scheme, attrs }: SourceId, reference: Reference): string {
  if (scheme === "docker-image+blob") return repositoryName(reference);
  const store = attrs["oci.store"];
  if (store) return layoutOrigin(store);
  throw new KilnError("DEFINITION_INVALID", "oci-layout blob source requires store id");
}

/** Registries keep manifests apart from other blobs; both have digests. */
async function* readBlob(
  repository: PullRepository,
  digest: Digest,
  name: string,
  call: Call,
): Bytes {
  const size = await repository.blobSize?.(digest, call);
  if (size !== undefined) {
    yield* repository.read({ mediaType: "application/octet-stream", digest, size }, call);
    return;
  }
  const manifest = await repository.resolve(digest, call);
  if (!manifest) throw new KilnError("IMAGE_NOT_FOUND", `there is no blob ${name}`);
  yield* bytesOf(await repository.readManifest(manifest, call));
}
