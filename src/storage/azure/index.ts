// Identities in Azure: whoever the environment, the machine or its tools say this is, as a token for storage.
export { type AzureIdentity, createAzureIdentity } from "./identity.ts";
export type { AzureToken, AzureWorld } from "./services.ts";
