// From an LLB vertex to the work behind it.
import type { Session, StepResources } from "../../api/index.ts";
import { actingFor, type Call, type Digest, isAbortError } from "../../base/index.ts";
import type { LlbVertex } from "../../formats/llb/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import type { Snapshotter } from "../../storage/snapshot/index.ts";
import type { BuildProxy, Fetched } from "../proxy/index.ts";
import type { Op } from "../solver/index.ts";
import { createBuildOp, type SolveNested } from "./build-op.ts";
import { createExecOp, type ExecParts, type FailedExec } from "./exec-op.ts";
import type { EarlierCopies } from "./file/earlier-copy.ts";
import { createFileOp } from "./file-op.ts";
import { locateFailures } from "./locate-failures.ts";
import type { OpResult } from "./result.ts";
import { createSourceOp, type Sources } from "./source-op.ts";
import { createDiffOp, createMergeOp, createPassthroughOp } from "./stack-ops.ts";

/** What a vertex is to the solver: its LLB, and the session of the build that brought it. */
export interface OpDefinition {
  readonly vertex: LlbVertex;
  readonly session: Session;
  /** Others build here too, who must get nothing by way of this session. */
  readonly manyClients?: boolean;
  /** Limits of that build's processes; no part of what a step is. */
  readonly resources?: StepResources;
  /** What the build's processes are kept behind; no part of what a step is. */
  readonly proxy?: BuildProxy;
  /** Told what a process fetched through it. */
  readonly onFetched?: (vertex: LlbVertex, fetched: Fetched) => void;
  /** Awaited before anything is executed: for checks that are in vain when all is cached. */
  readonly beforeWork?: (call: Call) => Promise<void>;
  /** Told when the op was executed, and lent its outputs until it returns. */
  readonly afterWork?: (vertex: LlbVertex, outputs: readonly OpResult[]) => void;
  /** Told of a process that failed; what it is given becomes its own. */
  readonly onFailure?: (vertex: LlbVertex, failed: FailedExec) => void;
  /** For ops that are builds themselves. */
  readonly solve?: SolveNested;
  /** The build ops that the vertex is built in, outermost first. */
  readonly inside?: readonly Digest[];
  /** Told what a source stands for now: a commit, a digest. */
  readonly onPin?: (vertex: LlbVertex, pin: string) => void;
}

export interface OpParts
  extends Omit<
    ExecParts,
    "session" | "ignoresCache" | "resources" | "onFailure" | "proxy" | "onFetched"
  > {
  readonly snapshotter: Snapshotter;
  /** What earlier builds copied out of large directories. */
  readonly copies?: EarlierCopies;
  readonly sources: Sources;
  /** For vertices that name no platform. */
  readonly defaultPlatform: Platform;
}

/** Failures say where in the user's file the op was written. */
export function createOp(definition: OpDefinition, parts: OpParts): Op<OpResult> {
  const { vertex, session, beforeWork, afterWork, onFailure } = definition;
  const bare = createBareOp(definition, parts);
  const told = onFailure ? tellUnread(bare, (failed) => onFailure(vertex, failed)) : bare;
  const op = onBehalf(locateFailures(told, vertex), session);
  if (!beforeWork && !afterWork) return op;
  return {
    ...op,
    async exec(inputs, call) {
      await beforeWork?.(call);
      const outputs = await op.exec(inputs, call);
      afterWork?.(vertex, outputs);
      return outputs;
    },
  };
}

/** The same op; whoever is told gets the inputs whose content could not be read. */
function tellUnread(op: Op<OpResult>, onFailure: (failed: FailedExec) => void): Op<OpResult> {
  return {
    ...op,
    async cacheMap(call) {
      const map = await op.cacheMap(call);
      const inputs = map.inputs.map((input, index) => {
        const { contentDigest } = input;
        if (!contentDigest) return input;
        const digest: typeof contentDigest = async (result, digesting) => {
          try {
            return await contentDigest(result, digesting);
          } catch (error) {
            const subject = { kind: "content", index } as const;
            if (!isAbortError(error)) onFailure({ states: [], inputs: [result?.clone()], subject });
            throw error;
          }
        };
        return { ...input, contentDigest: digest };
      });
      return { ...map, inputs };
    },
  };
}

/** Layers that are fetched on the way are asked for with what this build's side has to get them. */
function onBehalf(op: Op<OpResult>, session: Session): Op<OpResult> {
  return {
    ...op,
    exec: (inputs, call) => actingFor(session, () => op.exec(inputs, call)),
    async cacheMap(call) {
      const map = await actingFor(session, () => op.cacheMap(call));
      const inputs = map.inputs.map((input) => {
        const { contentDigest } = input;
        if (!contentDigest) return input;
        const digest: typeof contentDigest = (result, digesting) =>
          actingFor(session, () => contentDigest(result, digesting));
        return { ...input, contentDigest: digest };
      });
      return { ...map, inputs };
    },
  };
}

function createBareOp(definition: OpDefinition, parts: OpParts): Op<OpResult> {
  const { vertex, session, resources, onPin, onFailure, inside = [], solve } = definition;
  const { proxy, onFetched } = definition;
  const { op } = vertex;
  const platform = vertex.platform ?? parts.defaultPlatform;
  const inputCount = vertex.inputs.length;
  const limits = vertex.metadata.resources ?? resources;
  const told = onFailure
    ? { onFailure: (failed: FailedExec) => onFailure(vertex, failed) }
    : undefined;
  switch (op.kind) {
    case "source":
      return createSourceOp(op, platform, parts.sources, session, (pin) => onPin?.(vertex, pin));
    case "exec":
      return createExecOp(op, vertex.encoded, platform, inputCount, {
        ...parts,
        session,
        ...(vertex.metadata.ignoreCache ? { ignoresCache: true } : {}),
        ...(limits === undefined ? {} : { resources: limits }),
        ...(proxy ? { proxy, onFetched: (fetched) => onFetched?.(vertex, fetched) } : {}),
        ...told,
      });
    case "file":
      return createFileOp(op, vertex.encoded, inputCount, { ...parts, ...told });
    case "merge":
      return createMergeOp(op, vertex.encoded, inputCount, parts.snapshotter);
    case "diff":
      return createDiffOp(op, vertex.encoded, inputCount, parts.snapshotter);
    case "passthrough":
      return createPassthroughOp(op, vertex.encoded, inputCount);
    case "build":
      return createBuildOp(op, vertex.encoded, inputCount, {
        digest: vertex.digest,
        inside,
        solve,
      });
  }
}
