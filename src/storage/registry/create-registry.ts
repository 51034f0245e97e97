// The registry client: repositories to pull from and push to, over one set of connections and tokens.
import type { Registry, RegistryOptions } from "./registry.ts";

/** Makes a client. Nothing is connected before it is used; disposing closes idle connections. */
export function createRegistry(options: RegistryOptions): Registry & Disposable {
  throw new Error(`not yet ${options.userAgent}`);
}
