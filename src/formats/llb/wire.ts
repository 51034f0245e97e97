// Definitions to and from the protobuf message that travels between clients and builders.
import { type Digest, digestOf, isDigest, KilnError, sortedRecord } from "../../base/index.ts";
import { pb } from "../proto/index.ts";
import { invalid } from "./checks.ts";
import type {
  Definition,
  DefinitionOp,
  OpMetadata,
  SourceFile,
  SourceLocation,
  StepLimits,
} from "./definition.ts";

/** Most bytes that an encoded definition may have. */
export const MAX_DEFINITION_BYTES: number = 256 * 1024 * 1024;

/** The definition as the bytes of message `pb.Definition`. */
export function encodeDefinition(definition: Definition): Uint8Array {
  const Source = toSourceMessage(definition.locations ?? new Map());
  return pb.Definition.encode({ ...toOpsMessage(definition), Source }).finish();
}

function toOpsMessage({ ops }: Definition): pb.Definition {
  const metadata = ops
    .map((op): [string, pb.OpMetadata] => [op.digest, toMetadataMessage(op.metadata)])
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return { def: ops.map((op) => op.bytes), metadata: new Map(metadata), Source: undefined };
}

/** Reads `pb.Definition`. Digests are computed, not believed. Throws `DEFINITION_INVALID`. */
export function decodeDefinition(bytes: Uint8Array): Definition {
  if (bytes.length > MAX_DEFINITION_BYTES) {
    throw new KilnError(
      "DEFINITION_INVALID",
      `the definition has more than ${MAX_DEFINITION_BYTES} bytes`,
    );
  }
  let message: pb.Definition;
  try {
    message = pb.Definition.decode(bytes);
  } catch (cause) {
    throw new KilnError(
      "DEFINITION_INVALID",
      "the definition is not a protobuf message pb.Definition",
      { cause },
    );
  }
  return { ops: fromOpsMessage(message), locations: fromSourceMessage(message.Source) };
}

function fromOpsMessage({ def, metadata }: pb.Definition): DefinitionOp[] {
  return def.map((op) => {
    const digest = digestOf(op);
    return { digest, bytes: op, metadata: fromMetadataMessage(metadata.get(digest)) };
  });
}

export function toMetadataMessage(metadata: OpMetadata): pb.OpMetadata {
  return pb.OpMetadata.create({
    ignoreCache: metadata.ignoreCache === true,
    description: new Map(Object.entries(sortedRecord(metadata.description))),
    exportCache: metadata.exportCache === undefined ? undefined : { Value: metadata.exportCache },
    caps: new Map([...metadata.caps].sort().map((cap) => [cap, true])),
    progressGroup: metadata.progressGroup && { ...metadata.progressGroup },
    linuxResources: metadata.resources && pb.LinuxResources.fromPartial(metadata.resources),
  });
}

function fromMetadataMessage(message: pb.OpMetadata | undefined): OpMetadata {
  if (message === undefined) return { description: {}, caps: [] };
  const caps = [...message.caps].filter(([, needed]) => needed).map(([cap]) => cap);
  return {
    description: Object.fromEntries(message.description),
    caps: caps.sort(),
    ...(message.ignoreCache ? { ignoreCache: true } : {}),
    ...(message.exportCache ? { exportCache: message.exportCache.Value } : {}),
    ...(message.progressGroup ? { progressGroup: message.progressGroup } : {}),
    ...(message.linuxResources ? { resources: toLimits(message.linuxResources) } : {}),
  };
}

const processors = /^(?:\d{1,5}(?:-\d{1,5})?(?:,\d{1,5}(?:-\d{1,5})?)*)?$/;

/** What is zero or empty is not limited. Throws `DEFINITION_INVALID` for limits that cannot be. */
function toLimits(message: pb.LinuxResources): StepLimits {
  const least = { memorySwap: -1, cpuQuota: -1 } as const;
  for (const [name, value] of Object.entries(message)) {
    const good =
      typeof value === "string"
        ? processors.test(value)
        : Number.isSafeInteger(value) && value >= (name in least ? -1 : 0);
    if (!good)
      throw invalid(`the limit ${JSON.stringify(value).slice(0, 100)} of ${name} cannot be`);
  }
  return Object.fromEntries(Object.entries(message).filter(([, value]) => value));
}

export function toSourceMessage(byOp: ReadonlyMap<Digest, readonly SourceLocation[]>): pb.Source {
  const files: SourceFile[] = [];
  const locations = new Map<string, pb.Locations>();
  for (const [digest, places] of [...byOp].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const messages = places.map(({ file, ranges }): pb.Location => {
      if (!files.includes(file)) files.push(file);
      return {
        sourceIndex: files.indexOf(file),
        ranges: ranges.map(({ start, end }) => ({ start, end })),
      };
    });
    locations.set(digest, { locations: messages });
  }
  const infos = files.map(toFileMessage);
  return { locations, infos };
}

export function toFileMessage({ definition, ...file }: SourceFile): pb.SourceInfo {
  return { ...file, definition: definition && toOpsMessage(definition) };
}

export function fromFileMessage({ definition, ...file }: pb.SourceInfo): SourceFile {
  return { ...file, ...(definition ? { definition: { ops: fromOpsMessage(definition) } } : {}) };
}

function fromSourceMessage(message: pb.Source | undefined): Map<Digest, SourceLocation[]> {
  const files = (message?.infos ?? []).map(fromFileMessage);
  const byOp = new Map<Digest, SourceLocation[]>();
  for (const [digest, { locations }] of message?.locations ?? []) {
    if (!isDigest(digest)) continue;
    byOp.set(
      digest,
      locations.flatMap((location) => fromLocation(location, files)),
    );
  }
  return byOp;
}

function fromLocation(message: pb.Location, files: readonly SourceFile[]): SourceLocation[] {
  const file = files[message.sourceIndex];
  if (file === undefined) return [];
  const zero = { line: 0, character: 0 };
  const ranges = message.ranges.map(({ start, end }) => ({
    start: start ?? zero,
    end: end ?? zero,
  }));
  return [{ file, ranges }];
}
