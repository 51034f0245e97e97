// The whole examination: facts first, then what follows from them.
import type { Call } from "../../base/index.ts";
import { hostPlatform } from "../../formats/oci/index.ts";
import { judgeEmulation } from "./emulation.ts";
import { gatherFacts } from "./facts.ts";
import type { Finding } from "./finding.ts";
import { judgeForced } from "./forced.ts";
import { judgeIsolation } from "./isolation.ts";
import { judgeMachine } from "./machine.ts";
import { judgeNetwork } from "./network.ts";
import { judgeResources } from "./resources.ts";
import { judgeStepNetwork } from "./step-network.ts";
import { judgeTools } from "./tools.ts";

export interface Examination {
  /** Where the store is or will be. */
  readonly root: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
  /** A registry to ask; undefined leaves the network alone. */
  readonly registry: URL | undefined;
}

/** Changes nothing. Findings in the order of `findingGroups`. */
export async function examine(
  { root, environment, now, registry }: Examination,
  call: Call,
): Promise<readonly Finding[]> {
  const machine = hostPlatform(process.arch).architecture;
  const [facts, network] = await Promise.all([
    gatherFacts(root, environment, machine, call),
    registry ? judgeNetwork({ url: registry, environment, now }, call) : [],
  ]);
  return [
    ...judgeMachine(facts),
    ...judgeIsolation(facts),
    ...judgeForced(environment),
    ...judgeEmulation(facts),
    ...judgeResources(facts),
    ...judgeStepNetwork(facts),
    ...network,
    ...judgeTools(facts),
  ];
}
