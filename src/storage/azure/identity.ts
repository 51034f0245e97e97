// Who this is to Azure: an application of the environment, a workload, the machine, whoever is logged in, in that order.
import type { Call } from "../../base/index.ts";
import { Connections } from "../http/index.ts";
import { applicationToken, workloadToken } from "./applications.ts";
import { loggedInToken } from "./command.ts";
import { machineToken, serviceToken } from "./managed.ts";
import type { AzureToken, AzureWorld } from "./services.ts";

/** Somebody in Azure, found out once and again when the token runs out. */
export interface AzureIdentity {
  /** For Azure Storage. Undefined where nothing says who this is. Throws `CONFIG_INVALID` or `CACHE_FAILED` for what says so and fails. */
  token(call: Call): Promise<AzureToken | undefined>;
}

/** Tokens that run out within this time are fetched anew, in milliseconds. */
const margin = 5 * 60 * 1000;

/** The places where Azure's own libraries look (`DefaultAzureCredential`). The environment is the process's own where none is given. */
export function createAzureIdentity({
  env = process.env,
  connections = new Connections(env),
  now,
}: Partial<AzureWorld> & Pick<AzureWorld, "now">): AzureIdentity {
  const world = { env, connections, now };
  let known: AzureToken | undefined;
  let asked: Promise<AzureToken | undefined> | undefined;
  return {
    async token(call) {
      const left = (known?.expires.getTime() ?? Infinity) - now().getTime();
      if (left < margin) asked = undefined;
      asked ??= findToken(world, call);
      try {
        known = await asked;
      } catch (error) {
        asked = undefined;
        throw error;
      }
      return known;
    },
  };
}

async function findToken(world: AzureWorld, call: Call): Promise<AzureToken | undefined> {
  return (
    (await applicationToken(world, call)) ??
    (await workloadToken(world, call)) ??
    (await serviceToken(world, call)) ??
    (await machineToken(world, call)) ??
    (await loggedInToken(world, call))
  );
}
