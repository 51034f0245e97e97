// The clients of registries, one for each asking side: credentials are its own.
import type { Session } from "../../api/index.ts";
import { actor } from "../../base/index.ts";
import {
  createRegistry,
  type Registry,
  type RegistryClient,
  type RepositoryListing,
} from "../../storage/registry/index.ts";
import { withLayouts } from "../source/index.ts";
import type { EngineOptions } from "./options.ts";

/** One client for each asking side, since credentials are its own; `insecure` ones are apart. */
export interface Registries {
  of(session: Session, options?: { readonly insecure: boolean }): Registry;
  /** What a repository's own host tells of it, by a client that `of` gave. */
  listing(registry: Registry, repository: string): RepositoryListing | undefined;
  /** For layers that an earlier build left where they were: with what whoever builds now has to get them. */
  current(): Registry;
}

export function createRegistries(options: Pick<EngineOptions, "hosts" | "version">): Registries {
  const clients = new WeakMap<Session, Map<boolean, Registry>>();
  /** The clients behind those that also know layouts. */
  const whole = new WeakMap<Registry, RegistryClient>();
  const of = (
    session: Session,
    { insecure }: { readonly insecure: boolean } = { insecure: false },
  ): Registry => {
    const known = clients.get(session) ?? new Map<boolean, Registry>();
    clients.set(session, known);
    const open = () =>
      createRegistry({
        credentials: (host, call) => session.credentials(host, call),
        token: async (wanted, call) => await session.token?.(wanted, call),
        hosts: options.hosts,
        userAgent: `kiln/${options.version}`,
        ...(insecure ? { insecure } : {}),
      });
    const kept = known.get(insecure);
    const opened = kept ? undefined : open();
    const client = kept ?? withLayouts(opened as RegistryClient, session);
    if (opened) whole.set(client, opened);
    known.set(insecure, client);
    return client;
  };
  return {
    of,
    listing: (registry, repository) => whole.get(registry)?.listing(repository),
    current() {
      const session = actor();
      if (session) return of(session as Session);
      throw new Error("a layer was asked for outside of any build");
    },
  };
}
