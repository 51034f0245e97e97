// What was solved, with what is said about it beside it, as exporters take it.
import type { BuildRequest, BuildResult, FrontendResult, Session } from "../../api/index.ts";
import { type Call, runAll } from "../../base/index.ts";
import type { Definition, LlbGraph } from "../../formats/llb/index.ts";
import { type AttestOptions, fullProvenance, spdxPredicateType } from "../attest/index.ts";
import type { BuildOutcome } from "../cache/index.ts";
import { defaultEpoch, type SolvedResult } from "../exporter/index.ts";
import type { OpResult } from "../ops/index.ts";
import {
  attestProvenance,
  type BuildNotes,
  describeProvenance,
  emulatorsOf,
} from "./attest-result.ts";
import { inlineCache } from "./caches.ts";
import { readAttestations } from "./frontend-attestations.ts";
import type { RunningParts } from "./parts.ts";
import { scanResults } from "./scan-result.ts";

/** A build whose steps are done: by platform, in the order of `described`. */
export interface Solved {
  readonly request: BuildRequest;
  readonly described: FrontendResult;
  readonly graphs: readonly (LlbGraph | undefined)[];
  readonly snapshots: readonly OpResult[];
  /** Seconds since 1970. */
  readonly sourceDateEpoch: number | undefined;
  readonly session: Session;
}

export interface AttestingParts extends RunningParts {
  readonly notes: BuildNotes;
  /** For what scanners look into besides the results. */
  solve(definition: Definition, call: Call): Promise<OpResult>;
  /** Where images carry their own cache. */
  readonly inlineOutcome?: () => Promise<BuildOutcome>;
}

/** The results with the attestations that were asked for, and how to tell their whole provenance. */
export async function attestedResult(
  solved: Solved,
  attest: AttestOptions,
  parts: AttestingParts,
  call: Call,
): Promise<{
  readonly result: SolvedResult;
  readonly provenance: NonNullable<BuildResult["provenance"]>;
}> {
  const { request, described, graphs, snapshots, sourceDateEpoch } = solved;
  // For the history alone, where no step ran, nothing was emulated either.
  const executor = attest.provenance ? parts.executor : parts.runningExecutor;
  const emulators = await emulatorsOf(graphs, executor, call);
  const said = { ...parts, emulators };
  const own = await runAll(
    described.platforms,
    // Nobody asks for what is not exported.
    async ({ attestations = [] }, c) =>
      request.exporters.length === 0 && !request.sessionExporters
        ? []
        : readAttestations(attestations, parts.solve, c),
    call,
  );
  const billed = own.flat().some(({ predicateType }) => predicateType === spdxPredicateType);
  const bills = attest.sbom && !billed ? await scan(solved, attest.sbom, parts, call) : [];
  const { inlineOutcome } = parts;
  const platforms = described.platforms.map(({ platform, id, config, definition }, index) => {
    const one = { definition, graph: graphs[index] };
    const provenance = attest.provenance
      ? [attestProvenance(request, one, attest.provenance, said)]
      : [];
    const inline = inlineOutcome
      ? { inlineCache: inlineCache(inlineOutcome, index, parts.caches) }
      : {};
    const attestations = [...(own[index] ?? []), ...provenance, ...(bills[index] ?? [])];
    return { platform, id, config, snapshot: snapshots[index], attestations, ...inline };
  });
  const provenance = () =>
    Object.fromEntries(
      described.platforms.map(({ id, definition }, index) => {
        const one = { definition, graph: graphs[index] };
        return [id, describeProvenance(request, one, fullProvenance, said, [])];
      }),
    );
  const { multiPlatform, annotations = {}, imageName } = described;
  const named = imageName === undefined ? {} : { imageName };
  return {
    result: { platforms, multiPlatform, annotations, ...named, sourceDateEpoch },
    provenance,
  };
}

/** Bills of materials by platform, of the results and of the stages that the frontend names besides. */
async function scan(
  { described, snapshots, sourceDateEpoch, session }: Solved,
  sbom: NonNullable<AttestOptions["sbom"]>,
  parts: AttestingParts,
  call: Call,
): Promise<Awaited<ReturnType<typeof scanResults>>> {
  const results = await runAll(
    described.platforms.map((one, index) => ({ ...one, snapshot: snapshots[index] })),
    async ({ id, snapshot, sbomExtras = new Map() }, solving) => ({
      id,
      snapshot,
      extras: await runAll(
        [...sbomExtras],
        async ([name, definition], c) => ({ name, snapshot: await parts.solve(definition, c) }),
        solving,
      ),
      created: sourceDateEpoch ?? defaultEpoch,
    }),
    call,
  );
  return await scanResults(results, sbom, session, parts, call);
}
