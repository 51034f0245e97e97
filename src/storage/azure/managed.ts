// Identities that Azure has given to the machine, or to the service, that this runs on.
import { type Call, KilnError } from "../../base/index.ts";
import { isLoopback, nearbyService } from "../http/index.ts";
import { type AzureToken, type AzureWorld, askToken, storageResource } from "./services.ts";

/** App Service, Functions and Container Apps tell where to ask, and a word that proves it is them who asks. */
export async function serviceToken(world: AzureWorld, call: Call): Promise<AzureToken | undefined> {
  const { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: header } = world.env;
  if (!endpoint || !header) return undefined;
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const local = url && (isLoopback(url.hostname) || url.hostname.startsWith("169.254."));
  if (!url || !(url.protocol === "https:" || (url.protocol === "http:" && local)))
    throw new KilnError("CONFIG_INVALID", "IDENTITY_ENDPOINT must be https, or on this machine");
  ask(url, "2019-08-01", world);
  const headers = { "x-identity-header": header };
  return await askToken(
    { method: "GET", url, headers },
    "this service",
    nearbyService,
    world,
    call,
  );
}

/** The instance metadata service of virtual machines. Undefined on other machines. */
export async function machineToken(world: AzureWorld, call: Call): Promise<AzureToken | undefined> {
  const base = world.env["AZURE_POD_IDENTITY_AUTHORITY_HOST"] || "http://169.254.169.254";
  const url = new URL("/metadata/identity/oauth2/token", base);
  ask(url, "2018-02-01", world);
  const request = { method: "GET", url, headers: { metadata: "true" } } as const;
  try {
    return await askToken(request, "this machine", nearbyService, world, call);
  } catch {
    call.signal.throwIfAborted();
    // Most machines are none of Azure's: that nobody answers there is no failure.
    return undefined;
  }
}

function ask(url: URL, version: string, { env }: AzureWorld): void {
  url.searchParams.set("api-version", version);
  url.searchParams.set("resource", storageResource);
  // One of several identities that were given.
  const client = env["AZURE_CLIENT_ID"];
  if (client) url.searchParams.set("client_id", client);
}
