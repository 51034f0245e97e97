// Where images are, as commands name them: a repository's name, or oci-layout://DIRECTORY[:TAG][@DIGEST].
import { resolve } from "node:path";
import { KilnError, parseDigest } from "../../../base/index.ts";
import {
  type Descriptor,
  formatReference,
  isTag,
  parseReference,
  type Reference,
  repositoryName,
} from "../../../formats/oci/index.ts";
import { openOciLayout } from "../../../storage/image/index.ts";
import {
  createRegistry,
  type PullRepository,
  type PushRepository,
  type RegistryClient,
  type RepositoryListing,
} from "../../../storage/registry/index.ts";
import { openClientConfig, userAgent } from "../builders/client-config.ts";
import type { RunWorld } from "../command.ts";

/** An image somewhere, or the place for one. */
export interface Place {
  /** The whole name, for people. */
  readonly name: string;
  /** The same without tag and digest. */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
  /** Undefined for OCI layouts. */
  readonly reference: Reference | undefined;
  /** Mirrors first. */
  pull(): PullRepository;
  push(): PushRepository;
  /** Undefined for OCI layouts. */
  listing(): RepositoryListing | undefined;
}

export interface Places extends Disposable {
  readonly client: RegistryClient;
  place(text: string): Place;
}

const layoutPrefix = "oci-layout://";

/** Reads configuration once; nothing is asked before a place is used. */
export async function openPlaces(
  world: RunWorld,
  { insecure = false }: { readonly insecure?: boolean } = {},
): Promise<Places> {
  const config = await openClientConfig(world);
  const client = createRegistry({
    credentials: config.credentials,
    hosts: config.hosts,
    userAgent,
    environment: world.env,
    ...(insecure ? { insecure } : {}),
  });
  return {
    client,
    place: (text) =>
      text.startsWith(layoutPrefix) ? layoutPlace(text, world.cwd) : registryPlace(text, client),
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}

function registryPlace(text: string, client: RegistryClient): Place {
  const reference = parseReference(text);
  const repository = repositoryName(reference);
  return {
    name: formatReference(reference),
    repository,
    tag: reference.tag,
    digest: reference.digest,
    reference,
    pull: () => client.pull(repository),
    push: () => client.push(repository),
    listing: () => client.listing(repository),
  };
}

function layoutPlace(text: string, cwd: string): Place {
  const [, path = "", tag, digest] =
    /^oci-layout:\/\/(.+?)(?::([^:/@]+))?(?:@([^@/]+))?$/.exec(text) ?? [];
  if (path === "" || (tag !== undefined && !isTag(tag))) {
    throw new KilnError("REFERENCE_INVALID", `invalid image location ${JSON.stringify(text)}`, {
      hint: "Write oci-layout://DIRECTORY, with :TAG or @DIGEST behind it.",
    });
  }
  const directory = resolve(cwd, path);
  const known = digest === undefined ? undefined : parseDigest(digest);
  const suffix = `${tag === undefined ? "" : `:${tag}`}${known === undefined ? "" : `@${known}`}`;
  return {
    name: `${layoutPrefix}${path}${suffix}`,
    repository: `${layoutPrefix}${path}`,
    tag,
    digest: known,
    reference: undefined,
    pull: () => openOciLayout(directory),
    push: () => openOciLayout(directory, { create: true }),
    listing: () => undefined,
  };
}

/** What to ask a place's repository for: the digest decides, then the tag, then `latest`. */
export function askedFor({ tag, digest }: Pick<Place, "tag" | "digest">): string {
  return digest ?? tag ?? "latest";
}

/** The name with `:latest` where it has neither tag nor digest. */
export function namedPlace(place: Place): string {
  return place.tag === undefined && place.digest === undefined
    ? `${place.name}:latest`
    : place.name;
}

/** What is there under the place's name. Throws `IMAGE_NOT_FOUND`. */
export async function descriptorAt(place: Place, world: RunWorld): Promise<Descriptor> {
  const descriptor = await place.pull().resolve(askedFor(place), world.call);
  if (descriptor) return descriptor;
  const registry = place.reference !== undefined;
  throw new KilnError(
    "IMAGE_NOT_FOUND",
    `${namedPlace(place)}: not found in the ${registry ? "registry" : "layout"}`,
    {
      hint: registry
        ? "Check the name and the tag, and that you may read the repository."
        : "Check the tag: index.json lists what is there.",
    },
  );
}
